package keeper

import (
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

// tracked is what is known of one thing that an operator has this node look at (E10). It is
// pure: the loop owns it and tells it each result.
type tracked struct {
	cfg     config.Track
	known   bool // a first result has come; until then nothing counts against the node
	failing bool
	streak  int // results in a row that speak for the other state
	since   time.Time
	reason  string // of the last failure
}

// result takes in one more result: nil is a success. It reports whether the state changed.
// The first one decides at once, as a backend's does.
func (t *tracked) result(now time.Time, err error) (changed bool) {
	if err != nil {
		t.reason = err.Error()
	}
	failed := err != nil
	if !t.known {
		t.known, t.failing, t.since = true, failed, now
		return true
	}
	if failed == t.failing {
		t.streak = 0
		return false
	}
	need := t.cfg.Rise
	if failed {
		need = t.cfg.Fall
	}
	if t.streak++; t.streak < need {
		return false
	}
	t.failing, t.streak, t.since = failed, 0, now
	return true
}

// short is a fitness less what the failing ones of all take off it; 0 at least.
func short(fitness uint8, all []*tracked) uint8 {
	left := int(fitness)
	for _, t := range all {
		if t.failing {
			left -= t.cfg.Weight
		}
	}
	return uint8(max(0, left))
}
