package election

import "time"

// E6, useful and not only alive. An active whose adverts arrive may still be out of its clients' reach: its
// interface on the VIP's segment is dead, and the adverts go another way. So a backup asks it on the segment,
// too. When nothing comes back there for long, although this node has just been answered by others and hears
// more than the active, it complains; the active looks around for itself before it believes that.

// The parts of UsefulAfter.
const (
	wireBeat   = 4  // while all is well, the active is asked so often in it; and a complaint must last for one such part
	wireHurry  = 20 // once a question went unanswered
	plaintGap  = 2  // complaints further apart than such a part are not one
	wireLapsed = 2  // and neither are questions
)

// wireWatch is how a peer answers on the VIP's segment.
type wireWatch struct {
	answers   bool      // it has, to the last question but those of since
	since     time.Time // the first question that has not been answered; zero: all were
	asked     time.Time // the last question
	next      time.Time // when the next one is due
	solicited time.Time // when the stations were asked last for a proof that this node hears
	first     time.Time // when they were first, since the silence began
}

// answer: all is well, whatever was asked before.
func (v *wireWatch) answer(interval time.Duration) {
	*v = wireWatch{answers: true, asked: v.asked, next: v.asked.Add(UsefulAfter(interval) / wireBeat)}
}

// silentFor returns how long no question has been answered.
func (v *wireWatch) silentFor(now time.Time) time.Duration {
	if v.since.IsZero() {
		return 0
	}
	return now.Sub(v.since)
}

// beats: whoever hears h there is of more use than who hears other. The gateway is worth all else, and between
// numbers there must be more than a few hosts that come and go.
func (h Hearing) beats(other Hearing) bool {
	if h.Gateway != other.Gateway {
		return h.Gateway
	}
	return int(h.Stations) > 2*int(other.Stations)
}

// watchAt returns when a backup asks the active on the segment again; zero for never.
func (m *Machine) watchAt() time.Time {
	p := m.activePeer()
	if p == nil || !m.hears {
		return time.Time{}
	}
	return later(p.wire.next, m.since)
}

// watchWire asks the active on the segment, and complains when that has been in vain for long enough.
func (m *Machine) watchWire() {
	if !m.due(m.watchAt()) {
		return
	}
	p, after := m.activePeer(), UsefulAfter(m.cfg.AdvertInterval)
	v := &p.wire
	if m.slept || m.now.Sub(v.asked) > after/wireLapsed {
		*v = wireWatch{answers: v.answers} // it was not asked all the time: what is missing proves nothing
	}
	q := Query{Via: PathWire}
	if !v.since.IsZero() {
		m.solicitForWire(p)
		if m.complains(p) {
			m.complaints++
			q.Via = AllPaths
			q.Complaint = Complaint{
				Group: m.cfg.Group, Seq: m.complaints, For: min(v.silentFor(m.now), maxFor), Hearing: m.hearing,
			}
		}
	}
	v.since, v.asked = earliest(v.since, m.now), m.now
	v.next = m.now.Add(after / wireHurry)
	if q.Complaint.Group == "" && v.silentFor(m.now) > after {
		v.next = m.now.Add(after / wireBeat) // in vain for long, and yet no cause for complaint
	}
	m.question(p, q)
}

// solicitForWire asks for the proof that it is not this node that hears nothing.
func (m *Machine) solicitForWire(p *peer) {
	v := &p.wire
	if m.now.Sub(v.solicited) < UsefulAfter(m.cfg.AdvertInterval)/wireBeat {
		return
	}
	if v.first.IsZero() {
		v.first = m.now
	}
	v.solicited = m.now
	m.do(Solicit{Silent: p.Node})
}

// complains: p is to be asked to yield. It begins one part of UsefulAfter early, since the active believes a
// complaint only when it has lasted for as long.
func (m *Machine) complains(p *peer) bool {
	after := UsefulAfter(m.cfg.AdvertInterval)
	return p.wire.silentFor(m.now) >= after-after/wireBeat && !p.wire.first.IsZero() && !m.proof.Before(p.wire.first) &&
		m.hearing.beats(p.Group.Hearing)
}

// wire is what this backup says of the active.
func (m *Machine) wire() Wire {
	p := m.activePeer()
	switch {
	case p == nil, !m.hears:
		return WireUnknown
	case p.wire.silentFor(m.now) >= UsefulAfter(m.cfg.AdvertInterval)/wireBeat:
		return WireSilent
	case p.wire.answers:
		return WireAnswers
	}
	return WireUnknown
}
