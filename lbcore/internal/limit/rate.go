package limit

import (
	"time"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// Rate is a route.Rate, ready for use; the zero value is no limit.
type Rate struct {
	every time.Duration // until one comes back, rounded up: never more than the rate
	room  time.Duration // until all of the burst is back
}

// NewRate makes a Rate of one that is within its bounds; nil is no limit.
func NewRate(r *route.Rate) Rate {
	if r == nil {
		return Rate{}
	}
	every := (r.Per + time.Duration(r.Count) - 1) / time.Duration(r.Count)
	return Rate{every: every, room: every * time.Duration(r.Burst)}
}

// On says that there is a limit.
func (r Rate) On() bool { return r.every > 0 }

// take takes one at a time from a bucket of which all is back at full. It returns when all
// will be back then; wait, if not 0, is how long there is none to take, and then none was.
//
// This is GCRA, which needs one word for a bucket: a burst that is partly used is a time in
// the future, at most room away. A bucket that was filled under another rate, or by a loop
// whose clock is ahead, is brought within that.
func (r Rate) take(full, now time.Duration) (then, wait time.Duration) {
	full = min(max(full, now), now+r.room)
	if late := full + r.every - now - r.room; late > 0 {
		return full, late
	}
	return full + r.every, 0
}
