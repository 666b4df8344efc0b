package election

import "time"

// Two nodes that have the VIP, and whose adverts do not reach each other, would both keep it for as long as that
// lasts: each knows of no other, and only who misses somebody asks. So whoever is active asks everybody now and
// then, by the ways that adverts do not take, too (E8). A node that starts asks in the same way before its silence
// counts: an active that it cannot hear directly is known to it, and their session agreed upon (E2), before it could
// claim (E11).

// meetInterval is how often: rarely enough to be no burden for the members that relay.
func meetInterval(interval time.Duration) time.Duration { return max(10*interval, minMeet) }

const minMeet = 100 * time.Millisecond

// meetAt returns when this node asks everybody again; zero for never.
func (m *Machine) meetAt() time.Time {
	switch {
	case m.state == Active && m.verifyBy.IsZero(), m.state == Backup && !m.settled:
		return later(m.since, m.metAt.Add(meetInterval(m.cfg.AdvertInterval)))
	}
	return time.Time{}
}

// meet asks. An active cannot do so on the segment: its own question would come to itself there.
func (m *Machine) meet() {
	if !m.due(m.meetAt()) {
		return
	}
	m.metAt = m.now
	via := AllPaths
	if m.state == Active {
		via &^= PathWire
	}
	m.question(nil, Query{Via: via})
}
