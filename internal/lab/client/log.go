package client

import (
	"sync"
	"time"
)

// LogSize is how many requests a [Log] keeps: the latest 2 minutes at one per
// 2 ms. Older ones are forgotten.
const LogSize = 1 << 16

// Log is the bounded record of a load. It is filled by [Load.Run] and may be
// read from any goroutine.
type Log struct {
	zero time.Time

	mu      sync.Mutex // protects what follows
	ring    []Request  // at most LogSize, in order of completion
	next    int        // where the next one goes once the ring is full
	settled time.Duration
}

// NewLog returns an empty log whose times count from zero, which must carry a
// monotonic reading ([time.Now]).
func NewLog(zero time.Time) *Log { return &Log{zero: zero} }

// Now is the present on the log's clock.
func (l *Log) Now() time.Duration { return time.Since(l.zero) }

// Requests returns a copy of what is kept, in order of completion.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Request, 0, len(l.ring))
	out = append(out, l.ring[l.next:]...)
	return append(out, l.ring[:l.next]...)
}

// Since returns a copy of those that ended at t or later, in order of completion.
func (l *Log) Since(t time.Duration) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.ring)
	back := 0
	for back < n && l.ring[(l.next-1-back+2*n)%n].End >= t {
		back++
	}
	out := make([]Request, 0, back)
	for i := back; i > 0; i-- {
		out = append(out, l.ring[(l.next-i+n)%n])
	}
	return out
}

// Calm returns who answered the requests that ended within the last d. It is nil unless
// all of them went well, and there were no fewer than half of what a load of the default
// interval sends in that time.
func (l *Log) Calm(d time.Duration) map[string]bool {
	good, from := 0, map[string]bool{}
	for _, r := range l.Since(l.Now() - d) {
		switch {
		case r.Fail == Skipped:
		case !r.Good():
			return nil
		default:
			good++
			from[r.From] = true
		}
	}
	if good < int(d/defaultInterval)/2 {
		return nil
	}
	return from
}

// Settled is the time up to which the record is complete: every request that
// was due before it has ended and is in the log.
func (l *Log) Settled() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled
}

func (l *Log) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < LogSize {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[l.next] = r
	l.next = (l.next + 1) % LogSize
}

func (l *Log) settle(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = t
}
