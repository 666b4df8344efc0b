package membership

import (
	"errors"
	"net/netip"
	"time"
)

// Bounds of how many runs may be new. Whoever holds a gossip key can invent members; those that are known are not
// touched by it, and what a flood costs each member is bounded.
const (
	newAtOnce    = 2048 // more than ever join in one moment
	newPerSecond = 200  // after that
	maxPerAddr   = 256  // runs at one address
)

// Errors of admission.
var (
	errTooManyRuns   = errors.New("too many members")
	errTooManyAtAddr = errors.New("too many members at one address")
	errTooManyNew    = errors.New("too many new members at once")
)

// admission says which runs that were never heard of may come in now: a bucket of newAtOnce that is filled with
// newPerSecond, and no more than maxPerAddr at one address. What is refused is no loss for a member that is there: it
// is heard of again within seconds. Its owner locks.
type admission struct {
	left   float64
	at     time.Time
	byAddr map[netip.Addr]int // runs in the table
}

func newAdmission() *admission { return &admission{left: newAtOnce, byAddr: map[netip.Addr]int{}} }

// admit reports why a new run at addr must wait, where known runs are known already.
func (a *admission) admit(addr netip.Addr, known int, now time.Time) error {
	switch {
	case known >= maxRuns:
		return errTooManyRuns
	case a.byAddr[addr] >= maxPerAddr:
		return errTooManyAtAddr
	}
	if !a.at.IsZero() {
		a.left = min(newAtOnce, a.left+newPerSecond*now.Sub(a.at).Seconds())
	}
	a.at = now
	if a.left < 1 {
		return errTooManyNew
	}
	a.left--
	return nil
}

// moved notes that a run has gone from one address to another; the zero Addr is none.
func (a *admission) moved(from, to netip.Addr) {
	if from == to {
		return
	}
	if a.byAddr[from]--; a.byAddr[from] <= 0 {
		delete(a.byAddr, from)
	}
	if to.IsValid() {
		a.byAddr[to]++
	}
}
