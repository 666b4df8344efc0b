package election

import "time"

// When two actives meet, clients of both have connections. The one with the lower claim is mute at once, and drains as
// after a handover; the other one forwards to it before it announces, so that no client of the loser is drawn away
// from its connections (E8). Both know from the other's adverts what it does: no message is needed, and what one of
// them cannot do costs connections, but never a second owner.

// contest settles a meeting of two actives: the higher (epoch, rank) stays and announces again, the other
// goes (E8). Both compare the same two values, so they agree.
func (m *Machine) contest(p *peer) {
	if p.claimRank().compare(m.claimRank()) > 0 {
		m.lose(p)
		return
	}
	if m.now.Sub(p.contested) < activeDown(m.cfg.AdvertInterval) {
		return
	}
	met := p.contested.IsZero()
	p.contested = m.now
	if !met || m.cannotForward(p) != "" { // else when the table is there; or now, since it has not let go
		m.announce()
	}
	m.send()
}

// lose gives the VIP up to p, which has the better claim. Connections of this node live on if p can forward to it.
func (m *Machine) lose(p *peer) {
	why := Reason{Why: WhyConflictLost, Node: p.Node}
	if !m.lossless || m.lossyTo[p.Node] != "" || m.take.phase != takeNothing && m.take.node != p.Node {
		m.becomeDraining(why, Backup)
		return
	}
	then := Backup
	if m.ending() || m.leaving {
		then = Init
	}
	m.giveEnds(false)
	m.fence()
	m.kept = false
	m.become(Draining, why)
	m.give = giving{
		phase: giveDrains, wish: wish{why: WhyConflictLost, then: then}, node: p.Node, boot: p.Boot, nonce: m.cfg.Boot,
		epoch: m.claim, since: m.now, by: m.now.Add(m.cfg.DrainDeadline), left: -1,
	}
	m.lost = Reason{Why: WhyActiveSilent, Node: p.Node}
	m.floor, m.relievedAt = m.now, time.Time{}
	m.do(Drain{For: m.cfg.DrainDeadline + leaseBeyondDrain})
	m.do(DrainProxy{For: m.cfg.DrainDeadline})
	m.send()
}

// cannotForward returns why this active would not forward to p, which has lost to it; "" for it would.
func (m *Machine) cannotForward(p *peer) string {
	switch {
	case !m.lossless:
		return m.notLossless
	case m.take.phase != takeNothing && m.take.node != p.Node:
		return m.cfg.Node + " forwards to " + m.take.node
	case m.give.phase != giveNothing:
		return m.cfg.Node + " hands over to " + m.give.node
	}
	return ""
}

// heardDraining: p has connections, and this active has the VIP. If nothing was agreed upon they have met as actives,
// of which this one may not even know.
func (m *Machine) heardDraining(p *peer, was peer) {
	switch {
	case p.Group.State != Draining || !p.Group.Standby || p.Group.Claiming:
		return
	case m.take.phase != takeNothing && m.take.node == p.Node:
		if was.active() && !m.take.heals { // the table of an earlier drain is in force
			m.announce()
		}
		return
	}
	if why := m.cannotForward(p); why != "" {
		m.tell(p.Node, p.Boot, Message{Kind: MsgUnable, Nonce: p.Boot, Text: why})
		return
	}
	m.token++
	m.take = taking{
		phase: takeForwards, node: p.Node, boot: p.Boot, nonce: p.Boot, token: m.token, heals: true,
		by: m.now.Add(m.cfg.DrainDeadline + tableBeyondDrain),
	}
	m.do(Prepare{Token: m.token, Node: p.Node, Boot: p.Boot, For: m.cfg.DrainDeadline})
}

// healed: the table towards who has lost is there, or cannot be. Now all may learn who has the VIP.
func (m *Machine) healed(ev Prepared) {
	t := &m.take
	t.heals = false
	if ev.Err != nil {
		m.tell(t.node, t.boot, Message{Kind: MsgUnable, Nonce: t.nonce, Text: ev.Err.Error()})
		m.forgetTable()
	}
	m.announce()
}
