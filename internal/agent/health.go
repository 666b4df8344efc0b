package agent

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
