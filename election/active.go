package election

import "time"

func (m *Machine) heardInActive(p *peer, was peer) {
	p.rival = p.mayHold()
	switch {
	case p.active():
		m.contest(p)
	case p.claiming() && (!was.claiming() || was.Group.Epoch != p.Group.Epoch):
		m.send() // it does not hear us, or not in time: told now, it withdraws before it has the VIP
	}
	if m.state == Active {
		m.considerYield()
	}
	if m.state == Active {
		m.heardDraining(p, was)
	}
	if m.state == Active && was.rival && !p.rival {
		m.announce() // it has let go: those who took the VIP to be there learn better (E14)
	}
}

// considerYield hands the VIP to a peer that can serve when this node cannot (E3), and notes since when a
// clearly better one is there. With no fit peer an unfit active keeps the VIP: half a service beats none.
func (m *Machine) considerYield() {
	p := m.successor()
	if p != nil && !m.fit() {
		m.cannotServe(p)
		return
	}
	switch {
	case m.preferred() == 0:
		m.betterSince = time.Time{}
	case m.betterSince.IsZero():
		m.betterSince = m.now
	}
}

// cannotServe: a fit peer shall have the VIP. Where only the proxy stands still, what it has may go on, so this is a
// handover; but one that is not waited for long.
func (m *Machine) cannotServe(p *peer) {
	g := &m.give
	switch {
	case !m.serving && !m.alive:
		m.becomeDraining(Reason{Why: WhyNotServing, Node: p.Node, Detail: m.notServing}, Backup)
	case g.phase == giveOffered && !(g.must && g.why == WhyNotServing):
		g.must, g.detail = true, m.notServing
		g.by = earliest(g.by, m.now.Add(hurriedOffer))
	case g.phase == giveNothing && !m.retries():
		m.handOver(wish{why: WhyNotServing, then: Backup, must: true, detail: m.notServing})
	}
}

// preferred returns why a peer shall have the VIP rather than this node that could serve, too; 0 for it shall not.
// Whether it could serve clearly better is not a matter of taste, as a priority is (E9, E10).
func (m *Machine) preferred() Why {
	p := m.successor()
	switch {
	case p == nil || p.useless:
	case m.cfg.Preempt && p.rank().compareMerit(m.rank()) > 0:
		return WhyPreempted
	case p.rank().bucket > m.rank().bucket:
		return WhyFitter
	}
	return 0
}

// preemptAt returns when this active yields to a better peer, zero if there is none. The peer has then been
// better for the hold-down, and this node, which counts only while it is active, has been active for as long (E9).
func (m *Machine) preemptAt() time.Time {
	if m.betterSince.IsZero() {
		return time.Time{}
	}
	return m.betterSince.Add(m.cfg.HoldDown)
}

func (m *Machine) tickActive() {
	if m.due(m.endAt) {
		m.shutdown()
		return
	}
	m.tickAgain()
	if m.state != Active {
		return
	}
	m.tickVerify()
	if !m.due(m.preemptAt()) {
		return
	}
	m.considerYield() // the better peer may have fallen silent meanwhile
	if m.state == Active && m.due(m.preemptAt()) {
		m.betterSince = time.Time{} // whatever comes of it, the next one has to wait as long again
		m.handOver(wish{why: m.preferred(), then: Backup})
	}
}

// defend answers a foreign claimant, at most once per DEFEND_INTERVAL: the VIP is configured to be ours, so
// it is never given up to a stranger (RFC 5227, 2.4 (c)).
func (m *Machine) defend() {
	if !m.defended.IsZero() && m.now.Sub(m.defended) < defendInterval {
		return
	}
	m.defended = m.now
	m.announce()
}
