package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// maxStreams bounds those who follow the page; more are told to come again.
	maxStreams = 16
	// streamInterval is how often the page is told what is new when nothing has changed, and
	// changeInterval how often at most when much does.
	streamInterval = time.Second
	changeInterval = 200 * time.Millisecond
	// streamTimeout is how long one who follows may take to read an event.
	streamTimeout = 5 * time.Second
)

// stream makes one picture at a time for all who follow. It makes none while nobody does.
type stream struct {
	picture func() []byte // JSON, in one line

	mu    sync.Mutex // protects what follows
	count int        // of those who follow
	first chan struct{}
	now   frame
}

// frame is a picture, and what is closed when there is a newer one.
type frame struct {
	data  []byte
	newer chan struct{}
}

func newStream(picture func() []byte) *stream {
	return &stream{picture: picture, first: make(chan struct{}, 1), now: frame{newer: make(chan struct{})}}
}

// run makes pictures until ctx ends: each streamInterval, and soon after a change.
func (s *stream) run(ctx context.Context, changed <-chan struct{}) {
	tick := time.NewTicker(streamInterval)
	defer tick.Stop()
	var made time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.first:
		case <-changed:
			wait := time.NewTimer(time.Until(made.Add(changeInterval)))
			select {
			case <-ctx.Done():
				wait.Stop()
				return
			case <-wait.C:
			}
		}
		if s.followers() == 0 {
			continue
		}
		made = time.Now()
		next := frame{s.picture(), make(chan struct{})}
		s.mu.Lock()
		old := s.now
		s.now = next
		s.mu.Unlock()
		close(old.newer)
	}
}

func (s *stream) followers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// join counts one more who follows, unless there are too many.
func (s *stream) join() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= maxStreams {
		return false
	}
	s.count++
	if s.count == 1 {
		s.now.data = nil // of whoever followed before
	}
	select {
	case s.first <- struct{}{}:
	default:
	}
	return true
}

func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
}

func (s *stream) current() frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// ServeHTTP sends server-sent events: what was, once, and then each picture. Who reads too
// slowly gets fewer, and who does not read is cut off.
func (s *stream) serve(w http.ResponseWriter, r *http.Request, history []byte) {
	if !s.join() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d look already, which is as many as may", maxStreams), http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	send := func(event string, data []byte) bool {
		if out.SetWriteDeadline(time.Now().Add(streamTimeout)) != nil {
			return false
		}
		_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
		return err == nil && out.Flush() == nil
	}
	if !send("history", history) {
		return
	}
	for {
		f := s.current()
		if f.data != nil && !send("cluster", f.data) {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-f.newer:
		}
	}
}
