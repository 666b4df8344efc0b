package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// LogQuery asks for lines that the processes of one agent have printed.
type LogQuery struct {
	Node    string // the member
	Run     string // of an earlier page: go on after it
	After   uint64 // its Next
	Last    int    // without Run: how many of the newest lines
	Process string // only of this one; empty: of all
}

// LogPage is some of an agent's lines.
type LogPage struct {
	Node  string    `json:"node"`
	Run   string    `json:"run"`   // of the agent; in another one, lines are counted anew
	Lines []LogLine `json:"lines"` // oldest first
	Next  uint64    `json:"next"`
	Lost  uint64    `json:"lost,omitempty"` // lines before these that the agent does not keep any more
	More  bool      `json:"more,omitempty"` // the next page is not empty
}

// LogLine is one line.
type LogLine struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Process string    `json:"process"`
	Stream  string    `json:"stream"` // out or err
	Text    string    `json:"text"`
	Cut     bool      `json:"cut,omitempty"` // it was too long, and goes on in the next one of the process
}

// Logs asks for a page of an agent's log.
func (c *Client) Logs(ctx context.Context, q LogQuery) (LogPage, error) {
	v := url.Values{"node": {q.Node}}
	for name, value := range map[string]string{"run": q.Run, "process": q.Process} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.After > 0 {
		v.Set("after", strconv.FormatUint(q.After, 10))
	}
	if q.Last > 0 {
		v.Set("last", strconv.Itoa(q.Last))
	}
	var page LogPage
	return page, c.get(ctx, "/v1/logs?"+v.Encode(), &page)
}

// logRoutes answers questions about logs.
func (s *Server) logRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		q, err := parseLogQuery(r.URL.Query())
		if err != nil {
			reply(w, http.StatusBadRequest, &Error{Message: err.Error(), Remedy: "a newer or older tandem command may be talking to this balancer"})
			return
		}
		replyTo(w, r, func(ctx context.Context) (LogPage, error) { return s.Logs(ctx, q) })
	})
}

func parseLogQuery(v url.Values) (q LogQuery, err error) {
	q = LogQuery{Node: v.Get("node"), Run: v.Get("run"), Process: v.Get("process")}
	if q.Node == "" {
		return q, fmt.Errorf("/v1/logs needs a node")
	}
	if text := v.Get("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, fmt.Errorf("after %q is no number of a line", text)
		}
	}
	if text := v.Get("last"); text != "" {
		if q.Last, err = strconv.Atoi(text); err != nil || q.Last < 0 {
			return q, fmt.Errorf("last %q is no number of lines", text)
		}
	}
	return q, nil
}
