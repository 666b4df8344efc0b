package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxEvent bounds one line of a watch, in bytes.
	maxEvent = 1 << 20
	// watchWrite bounds how long a watcher may leave a line unread.
	watchWrite = 10 * time.Second
	// watchSilence is how long nothing may come, not even a word that nothing has happened.
	watchSilence = 30 * time.Second
	// The pauses before a balancer that is gone is asked again.
	firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
)

// WatchQuery says which events are wanted. What is empty does not restrict.
type WatchQuery struct {
	Events     []string
	ActiveOnly bool // those of the active balancer
	// Run and After are where an earlier watch has come to: see [WatchBegin].
	Run   string
	After uint64
}

// WatchBegin is the first line of a watch: the control process that tells, and the number
// after which it begins. Numbers of another process mean other events.
type WatchBegin struct {
	Run   string `json:"run"`
	After uint64 `json:"after"`
}

// WatchMissed stands where events were too old to be told any more.
type WatchMissed struct {
	Missed uint64 `json:"missed"`
}

func (q WatchQuery) values() url.Values {
	return url.Values{
		"event": q.Events, "active": {strconv.FormatBool(q.ActiveOnly)}, "run": {q.Run}, "after": {strconv.FormatUint(q.After, 10)},
	}
}

func watchQuery(v url.Values) (q WatchQuery, err error) {
	q.Events, q.Run = v["event"], v.Get("run")
	q.ActiveOnly = v.Get("active") == "true"
	if s := v.Get("after"); s != "" {
		if q.After, err = strconv.ParseUint(s, 10, 64); err != nil {
			return q, &Error{Message: fmt.Sprintf("after %q is not a number", s), Remedy: "take the seq of an event"}
		}
	}
	return q, nil
}

// watch streams lines of JSON until the watcher or the server ends; serving is the server's life.
func (s *Server) watch(serving context.Context) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := watchQuery(r.URL.Query())
		if err != nil {
			reply(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(serving, cancel)()
		begun, rc := false, http.NewResponseController(w)
		err = s.Watch(ctx, q, func(v any) error {
			line := []byte("\n")
			if v != nil {
				b, err := json.Marshal(v)
				if err != nil {
					return err
				}
				line = append(b, '\n')
			}
			if !begun {
				begun = true
				w.Header().Set("Content-Type", "application/x-ndjson")
			}
			if err := rc.SetWriteDeadline(time.Now().Add(watchWrite)); err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
			return rc.Flush()
		})
		if e := new(Error); !begun && errors.As(err, &e) {
			reply(w, http.StatusConflict, e)
		}
	}
}

// Watch calls take with each event that is wanted, and connects again whenever the balancer
// is gone, until ctx ends: then it returns nil. An event is told at least once; of those that
// happened while the balancer could not be reached, the newest 1,024 are. trouble is told of
// each outage once, and of events that were missed. A watch that is refused is an error.
func (c *Client) Watch(ctx context.Context, q WatchQuery, take func(json.RawMessage), trouble func(error)) error {
	pause, told := firstPause, false
	for {
		begun, err := c.watchOnce(ctx, &q, take, trouble)
		if e := new(Error); !begun && errors.As(err, &e) {
			return e
		}
		if ctx.Err() != nil {
			return nil
		}
		if begun {
			pause, told = firstPause, false
		}
		if !told {
			told = true
			trouble(fmt.Errorf("%w; trying on", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// watchOnce is one connection. q is moved on.
func (c *Client) watchOnce(ctx context.Context, q *WatchQuery, take func(json.RawMessage), trouble func(error)) (begun bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://tandem/v1/events?"+q.values().Encode(), nil)
	if err != nil {
		return false, err
	}
	silent := time.AfterFunc(watchSilence, cancel)
	defer silent.Stop()
	endless := http.Client{Transport: c.http.Transport}
	resp, err := endless.Do(req)
	if err != nil {
		return false, c.explain(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	if resp.StatusCode != http.StatusOK {
		e := &Error{Message: fmt.Sprintf("%s answered %s", c.socket, resp.Status)}
		if err := json.NewDecoder(resp.Body).Decode(e); err != nil {
			return false, fmt.Errorf("%w: %w", e, err)
		}
		return false, e
	}
	for lines.Scan() {
		silent.Reset(watchSilence)
		line := bytes.Clone(lines.Bytes())
		var l struct {
			WatchBegin
			WatchMissed
			Seq uint64 `json:"seq"`
		}
		switch {
		case len(line) == 0:
			continue
		case json.Unmarshal(line, &l) != nil:
			return begun, fmt.Errorf("%s tells something else than events", c.socket)
		case !begun:
			begun, q.Run, q.After = true, l.Run, l.After
		case l.Missed > 0:
			trouble(fmt.Errorf("%d events were missed on %s: they were too old to be told any more", l.Missed, c.socket))
		default:
			q.After = l.Seq
			take(line)
		}
	}
	return begun, fmt.Errorf("%w on %s any more", ErrUnreachable, c.socket)
}

// TemplateData asks for what templates see now.
func (c *Client) TemplateData(ctx context.Context) (json.RawMessage, error) {
	var d json.RawMessage
	return d, c.get(ctx, "/v1/template-data", &d)
}
