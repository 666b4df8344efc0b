package keeper

import (
	"time"

	"github.com/tandem-lb/tandem/election"
)

// announced is an event: the first announcement of a claim has left, or could not.
type announced struct {
	g  *group
	at time.Time
}

// record reports a change to control. One that came with an announcement waits for it.
func (l *loop) record(g *group, c election.Changed, now time.Time) {
	l.report(g)
	g.entered.count(c)
	g.trace.waiting = g.trace.changed(c, g.machine.Status(), l.set.interval, now)
	if c.To != election.Active {
		l.report(g)
	}
}

// announced ends that wait.
func (l *loop) announced(ev announced) {
	t, began := ev.g.trace.waiting, ev.g.trace.announcing
	switch {
	case ev.at.Before(began): // that of an earlier claim
		return
	case t != nil && t.Phases != nil:
		t.Phases.Announce = ev.at.Sub(began)
	}
	l.report(ev.g)
}

// report sends what waits.
func (l *loop) report(g *group) {
	t := g.trace.waiting
	if t == nil {
		return
	}
	g.trace.waiting = nil
	l.chronicle.add(t)
	l.control.send(t)
}

// lookAtReports sends what has waited long enough.
func (l *loop) lookAtReports(now time.Time) {
	for _, g := range l.groups {
		if t := g.trace.waiting; t != nil && now.Sub(t.At) > announceWait {
			l.report(g)
		}
	}
}

// tellAgain sends the latest changes to a control process that was just started.
func (l *loop) tellAgain() {
	for _, t := range l.chronicle.newer {
		l.control.send(t)
	}
}
