package agent

import "time"

// health turns the results of checks into well or not. It is pure.
type health struct {
	rise, fall int
	well       bool
	fresh      bool // no check has passed since the app began: one suffices
	streak     int  // results in a row that speak against well
}

// begin forgets the past: the app is new, or gone.
func (h *health) begin() { h.well, h.fresh, h.streak = false, true, 0 }

// observe takes the result of a check and reports whether the app is well.
func (h *health) observe(passed bool) bool {
	switch {
	case passed == h.well:
		h.streak = 0
		return h.well
	case passed && h.fresh:
		h.streak = h.rise
	default:
		h.streak++
	}
	if need := map[bool]int{true: h.rise, false: h.fall}[passed]; h.streak >= need {
		h.well, h.streak, h.fresh = passed, 0, false
	}
	return h.well
}

// backoff is the pause before a restart. It doubles while the command keeps ending soon. It is pure.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

// after returns how long to wait after a run that lasted ran.
func (b *backoff) after(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= b.most {
		b.next = b.least
	}
	wait := b.next
	b.next = min(2*b.next, b.most)
	return wait
}
