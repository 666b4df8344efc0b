package control

import "time"

// clockAge is how long a reading of another node's clock is preferred for being more exact.
const clockAge = time.Minute

// clock is how another node's clock stands to this one's.
type clock struct {
	offset time.Duration // it is ahead by so much
	exact  time.Duration // and by no more and no less than that
	read   time.Time     // zero: never
}

// readClock compares the clocks by a question that was sent and whose answer was got by this
// one, and what the other one said in between.
func readClock(sent, said, got time.Time) clock {
	half := got.Sub(sent) / 2
	return clock{offset: said.Sub(sent.Add(half)), exact: half, read: got}
}

// better is the new reading, or this one while it is more exact and not old.
func (c clock) better(fresh clock) clock {
	if !c.read.IsZero() && c.exact < fresh.exact && fresh.read.Sub(c.read) < clockAge {
		return c
	}
	return fresh
}
