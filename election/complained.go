package election

import "time"

// plaint is what a backup holds against this node.
type plaint struct {
	seq         uint64    // of the last one
	since, last time.Time // the first and the last in a row that stood up to this node's own hearing; zero for none
}

// complained: nobody on the segment is answered by this active, says a backup. Before the active believes that,
// it asks the stations there itself, so that both have had the same chance to hear (E6).
func (m *Machine) complained(ev Complained) {
	if m.state != Active || !m.verifyBy.IsZero() || ev.Group != m.cfg.Group {
		return
	}
	after := UsefulAfter(m.cfg.AdvertInterval)
	i, ok := m.findPeer(ev.Node)
	if !ok || m.peers[i].Boot != ev.Boot || m.now.Sub(m.peers[i].at) > after/plaintGap {
		m.askWhoComplains()
		return
	}
	p := m.peers[i]
	v := &p.plaint
	switch again := m.now.Sub(v.last) <= after/plaintGap; {
	case ev.Seq <= v.seq:
		return // repeated, or overtaken
	case !p.candidate() || !ev.Hearing.beats(m.hearing):
		*v = plaint{seq: ev.Seq}
		return
	case v.since.IsZero() || !again:
		v.since = m.now
	}
	v.seq, v.last = ev.Seq, m.now
	switch held := m.heldUntil(); {
	case m.now.Sub(v.since) < after/wireBeat:
		m.lookAround()
	case !held.After(m.now):
		m.becomeDraining(Reason{Why: WhyNotUseful, Node: p.Node, Detail: "silent on the wire for " + ev.For.String()}, Backup)
	}
}

// askWhoComplains: the adverts of whoever it is do not come, so an answer must tell what it is now.
func (m *Machine) askWhoComplains() {
	if m.now.Sub(m.askedAt) >= m.cfg.AdvertInterval {
		m.askedAt = m.now
		m.question(nil, Query{Via: AllPaths})
	}
}

// lookAround gives this active the chance to hear that its complainer had.
func (m *Machine) lookAround() {
	if m.solicitAt.IsZero() || m.due(m.solicitAt) {
		m.solicitAt = m.now.Add(m.cfg.AdvertInterval)
		m.do(Solicit{})
	}
}

// heldUntil returns until when this active makes no voluntary move: a hold-down after the last one (E9).
func (m *Machine) heldUntil() time.Time {
	if !m.voluntary || m.state != Active {
		return time.Time{}
	}
	return m.since.Add(m.cfg.HoldDown)
}
