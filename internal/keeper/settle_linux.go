package keeper

import (
	"slices"
	"time"

	"github.com/tandem-lb/tandem/election"
)

// How one round of the loop ends: this node's advert is made anew, and everything that
// changes without an event is looked at.

// say gives the sender what every group says now, and has it sent at once if a machine
// wanted that.
func (l *loop) say() {
	var room [election.MaxGroups]election.GroupAdvert
	said := room[:0]
	for _, g := range l.groups {
		said = append(said, g.machine.Advert())
	}
	if last := l.sender.says.Load(); last == nil || !slices.Equal(last.Groups, said) {
		l.sender.says.Store(&election.Advert{
			Node: l.set.node, Boot: l.set.boot, Addr: l.set.addr, Interval: l.set.interval, Groups: slices.Clone(said),
		})
	}
	if l.spoke {
		l.sender.kick()
		l.spoke = false
	}
}

// settle ends one round: adverts that are due leave, the lease, the proxy and the segment
// are looked at, control is told what changed, and the loop's stamps say that it came round.
func (l *loop) settle(now time.Time) {
	for _, g := range l.groups {
		l.keepHeld(g, now)
		l.settleInherited(g, now)
		l.lookAround(g, now)
		l.lookAtLossless(g)
	}
	l.lookAtReports(now)
	l.lookAtProxies(now)
	l.lookAtReload(now)
	l.lookAtDrain()
	l.serving.setLease(l.leaseEnd())
	l.lookAtServing(now)
	if fitness := short(l.proxy.fitness(), l.tracks.all); fitness != l.fitness {
		l.fitness = fitness
		l.stepAll(election.Fitness{Value: fitness})
	}
	l.say()
	if l.changed || now.Sub(l.reported) >= stateInterval {
		l.changed, l.reported = false, now
		l.control.report(l.state(now))
	}
	l.tellSystemd(now)
	l.serving.came(now)
	for _, g := range l.groups {
		g.gate.Stamp()
	}
}

// lookAtServing tells the machines when this node begins or ceases to serve (E3).
func (l *loop) lookAtServing(now time.Time) {
	reason, _ := l.proxy.look(now)
	if reason == "" {
		reason = l.serving.answering(now)
	}
	if !l.maintSince.IsZero() {
		reason = inMaintenance
	}
	if reason != l.notServing {
		l.notServing = reason
		l.log.Info("serving changed", "serving", reason == "", "reason", reason)
		l.stepAll(election.Serving{OK: reason == "", Reason: reason, Alive: l.proxy.now.ready})
	}
}

// leaseEnd is when the first of the held leases ends.
func (l *loop) leaseEnd() time.Time {
	var end time.Time
	for _, g := range l.groups {
		if st := g.claimer.Status(); st.Held && (end.IsZero() || st.LeaseUntil.Before(end)) {
			end = st.LeaseUntil
		}
	}
	return end
}

// endBound bounds the orderly end of all machines. A program that moves VIPs takes its time, and so does a drain.
func (l *loop) endBound() time.Duration {
	bound := endTimeout + election.DefaultAnswerTimeout + l.proxy.drainTime
	for _, g := range l.groups {
		bound = max(bound, bound+g.bound-actionTimeout)
	}
	return bound
}

func (l *loop) allEnded() bool {
	return !slices.ContainsFunc(l.groups, func(g *group) bool { return !g.ended })
}
