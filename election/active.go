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
	if m.state == Active && was.rival && !p.rival {
		m.announce() // it has let go: those who took the VIP to be there learn better (E14)
	}
}

// contest settles a meeting of two actives: the higher (epoch, rank) stays and announces again, the other
// goes (E8). Both compare the same two values, so they agree.
func (m *Machine) contest(p *peer) {
	if p.claimRank().compare(m.claimRank()) > 0 {
		m.becomeDraining(Reason{Why: WhyConflictLost, Node: p.Node}, Backup)
		return
	}
	if m.now.Sub(p.contested) < activeDown(m.cfg.AdvertInterval) {
		return
	}
	p.contested = m.now
	m.announce()
	m.send()
}

// considerYield hands the VIP to a peer that can serve when this node cannot (E3), and notes since when a
// clearly better one is there. With no fit peer an unfit active keeps the VIP: half a service beats none.
func (m *Machine) considerYield() {
	p := m.successor()
	if p != nil && !m.fit() {
		m.becomeDraining(Reason{Why: WhyNotServing, Node: p.Node, Detail: m.notServing}, Backup)
		return
	}
	switch {
	case !m.cfg.Preempt || p == nil || p.useless || p.rank().compareMerit(m.rank()) <= 0:
		m.betterSince = time.Time{}
	case m.betterSince.IsZero():
		m.betterSince = m.now
	}
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
	m.tickVerify()
	if !m.due(m.preemptAt()) {
		return
	}
	m.considerYield() // the better peer may have fallen silent meanwhile
	if m.state == Active && m.due(m.preemptAt()) {
		m.betterSince = time.Time{} // whatever comes of it, the next one has to wait as long again
		m.handOver(wish{why: WhyPreempted, then: Backup})
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
