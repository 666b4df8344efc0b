package lbcore

import (
	"math/rand/v2"
	"time"
)

// pace says how long to wait until the next check of one backend. It is pure: what it draws
// follows from its seed. Backends that came at one instant are not checked at one instant for
// ever, nor by two balancers at the same time: with jitter, or where they are many, each has a
// time of its own within the interval from its second check on, and with jitter it wanders.
type pace struct {
	dice  *rand.Rand
	begun bool
}

func newPace(seed uint64) *pace { return &pace{dice: rand.New(rand.NewPCG(seed, 0))} }

// next is the pause after a check that took so long.
func (p *pace) next(c *CheckConfig, many bool, took time.Duration) time.Duration {
	pause, off := c.Interval, c.Interval*time.Duration(c.Jitter)/100
	switch {
	case !p.begun && (many || off > 0):
		pause = time.Duration(p.dice.Int64N(int64(c.Interval)))
	case off > 0:
		pause += time.Duration(p.dice.Int64N(int64(2*off)+1)) - off
	}
	p.begun = true
	return max(pause-took, recheckGap)
}
