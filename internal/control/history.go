package control

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

const (
	historyTime = 5 * time.Minute // what the charts of the page show
	// maxHistory bounds the frontends that have one, over all balancers.
	maxHistory = 32
)

// history is how the frontends of all balancers did in each second of late, so that whoever
// opens the page after a failover sees what it did to the clients.
type history struct {
	mu    sync.Mutex // protects what follows
	lines map[historyKey]*historyLine
}

type historyKey struct{ node, frontend string }

// historyLine is one frontend's, in columns, oldest first.
type historyLine struct {
	Node     string    `json:"node"`
	Frontend string    `json:"frontend"`
	At       []int64   `json:"at"` // seconds since the epoch of Unix
	Requests []float64 `json:"requests"`
	Errors   []float64 `json:"errors"`
	P50      []int64   `json:"p50"` // nanoseconds
	P95      []int64   `json:"p95"`
	P99      []int64   `json:"p99"`
}

// add takes in what is known at c.At; what is older than fresh is left out: who has died had
// no more requests.
func (h *history) add(c api.Cluster, fresh time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines == nil {
		h.lines = make(map[historyKey]*historyLine)
	}
	for _, v := range c.Nodes {
		if v.Status == nil || v.Age > fresh {
			continue
		}
		for _, f := range v.Status.Frontends {
			if f.Live != nil {
				h.line(historyKey{v.Node, f.Name}).add(c.At, f.Live)
			}
		}
	}
	for key, l := range h.lines {
		l.forget(c.At.Add(-historyTime))
		if len(l.At) == 0 {
			delete(h.lines, key)
		}
	}
}

// line is the one of key, or one that is not kept when there are too many.
func (h *history) line(key historyKey) *historyLine {
	l := h.lines[key]
	if l == nil {
		l = &historyLine{Node: key.node, Frontend: key.frontend}
		if len(h.lines) < maxHistory {
			h.lines[key] = l
		}
	}
	return l
}

func (l *historyLine) add(at time.Time, live *api.Live) {
	if n := len(l.At); n > 0 && l.At[n-1] >= at.Unix() {
		return
	}
	l.At = append(l.At, at.Unix())
	l.Requests, l.Errors = append(l.Requests, live.Requests), append(l.Errors, live.Errors)
	l.P50, l.P95, l.P99 = append(l.P50, int64(live.P50)), append(l.P95, int64(live.P95)), append(l.P99, int64(live.P99))
}

// forget cuts off what was before.
func (l *historyLine) forget(before time.Time) {
	n, _ := slices.BinarySearch(l.At, before.Unix())
	l.At, l.Requests, l.Errors = l.At[n:], l.Requests[n:], l.Errors[n:]
	l.P50, l.P95, l.P99 = l.P50[n:], l.P95[n:], l.P99[n:]
}

// json is all of it, in a stable order.
func (h *history) json() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*historyLine, 0, len(h.lines))
	for _, l := range h.lines {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *historyLine) int {
		return cmp.Or(cmp.Compare(a.Frontend, b.Frontend), cmp.Compare(a.Node, b.Node))
	})
	b, err := json.Marshal(all)
	if err != nil {
		return []byte("[]") // no value of it can fail
	}
	return b
}
