package election

import "time"

type event struct {
	at     time.Time
	serial int
	do     func()
}

func (e *event) before(o *event) bool {
	if e.at.Equal(o.at) {
		return e.serial < o.serial
	}
	return e.at.Before(o.at)
}

// eventQueue is a heap. (Written out: container/heap allocates for each event.)
type eventQueue []event

func (q *eventQueue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	*q = h
}

// pop takes the first one out of a queue that is not empty.
func (q *eventQueue) pop() event {
	h := *q
	first, n := h[0], len(h)-1
	e := h[n]
	h[n] = event{}
	h = h[:n]
	*q = h
	for i := 0; n > 0; {
		down := 2*i + 1
		if down+1 < n && h[down+1].before(&h[down]) {
			down++
		}
		if down >= n || !h[down].before(&e) {
			h[i] = e
			break
		}
		h[i] = h[down]
		i = down
	}
	return first
}
