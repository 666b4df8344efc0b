package control

import (
	"slices"
	"time"
)

// differTime is how long configurations may differ before it is worth a word: a reload of one
// balancer after the other takes a moment.
const differTime = 30 * time.Second

// difference watches the balancers with another configuration than this one, so that each
// difference is logged once.
type difference struct {
	others []string
	since  time.Time
	said   bool
}

// look takes in who differs now. It returns true when that is to be logged: with names that
// they differ, without that they do no longer.
func (d *difference) look(others []string, now time.Time) (say bool) {
	if len(others) == 0 {
		say = d.said
		*d = difference{}
		return say
	}
	if len(d.others) == 0 {
		d.since = now
	}
	if !slices.Equal(d.others, others) {
		d.others, d.said = others, false
	}
	if d.said || now.Sub(d.since) < differTime {
		return false
	}
	d.said = true
	return true
}
