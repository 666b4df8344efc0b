package control

import "time"

// Bounds of how often the lists are computed anew. To do so costs the more the more members
// there are, and a burst of joins is an event for each of them.
const (
	restFactor = 10                     // so much longer than it took it rests afterwards
	maxRest    = 100 * time.Millisecond // but not longer than that
)

// pace says when to look at the cluster again: at once, if the last look was not just now,
// so that one app that joins is served at once, and at most a tenth of the time in a burst.
// The zero pace is due. One goroutine owns it.
type pace struct {
	fresh bool // nothing has happened since the last look
	until time.Time
	rest  <-chan time.Time
}

// due reports whether to look now.
func (p *pace) due(now time.Time) bool {
	p.fresh = false
	return !now.Before(p.until)
}

// done notes a look that has just been taken.
func (p *pace) done(began, ended time.Time) {
	p.fresh = true
	p.until = ended.Add(min(restFactor*ended.Sub(began), maxRest))
	p.rest = nil
}

// rested returns what ends the rest if something has happened in it, else nil.
func (p *pace) rested() <-chan time.Time {
	if !p.fresh && p.rest == nil {
		p.rest = time.After(time.Until(p.until))
	}
	return p.rest
}
