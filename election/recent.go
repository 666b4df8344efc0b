package election

import "time"

// recentSpan is how long a lateness is remembered at least, and twice that at most: long enough to know a
// busy machine or network by it, short enough to be as quick as ever soon after it is calm.
const recentSpan = 5 * time.Second

// recent keeps the longest of the durations of late, in two buckets (E13).
type recent struct {
	now, old time.Duration
	turned   time.Time
}

func (r *recent) add(at time.Time, d time.Duration) {
	r.turn(at)
	r.now = max(r.now, d)
}

func (r *recent) longest(at time.Time) time.Duration {
	r.turn(at)
	return max(r.now, r.old)
}

func (r *recent) turn(at time.Time) {
	switch since := at.Sub(r.turned); {
	case since >= 2*recentSpan:
		r.now, r.old, r.turned = 0, 0, at
	case since >= recentSpan:
		r.now, r.old, r.turned = 0, r.now, at
	}
}
