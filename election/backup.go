package election

import "time"

// settle ends the wait of a cold start: from now on silence counts (E11).
func (m *Machine) settle() {
	if m.settled {
		return
	}
	m.settled, m.settleBy = true, time.Time{}
	m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval))
}

// claimAt returns when this backup claims unless something is heard before; zero while it may not, or does.
// It depends on what was heard only, never on now: the last sign of anybody who holds the VIP (E4), the rank
// among those who were alive then (E9).
func (m *Machine) claimAt() time.Time {
	if !m.settled || !m.fit() || m.pending != nothing {
		return time.Time{}
	}
	last, interval := m.floor, m.cfg.AdvertInterval
	for _, p := range m.peers {
		if p.holds() && p.until.After(last) {
			last, interval = p.until, p.Interval
		}
	}
	return last.Add(skew(m.rankAt(last), interval))
}

func (m *Machine) heardInBackup(p *peer, was peer) {
	switch {
	case p.holds():
		if !m.settled { // whoever hears the cluster need not look for it
			m.settle()
		}
		m.floor, m.pardoned = m.now, false
		if !p.claiming() {
			m.lost = Reason{Why: WhyActiveSilent, Node: p.Node}
		}
		if p.active() {
			m.yielding = false
		}
	case was.holds() && was.until.After(m.now):
		// It yields, or came back from a restart: there is nothing to wait for but better candidates (E7).
		m.floor = m.now
		if !was.claiming() {
			m.lost = Reason{Why: WhyYielded, Node: p.Node}
		}
	}
	if m.pending != nothing && (p.active() || p.claiming() && p.claimRank().compare(m.claimRank()) > 0) {
		m.withdraw(Reason{Why: WhyWithdrawn, Node: p.Node})
	}
}

// tickBackup claims when the active-down interval has passed.
func (m *Machine) tickBackup() {
	switch {
	case m.pending != nothing:
		if m.due(m.answerBy) {
			m.unanswered()
		}
		return
	case m.due(m.settleBy):
		m.settle()
	}
	if !m.due(m.claimAt()) {
		return
	}
	if m.slept && !m.pardoned {
		m.pardoned = true
		m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval))
		return
	}
	m.beginClaim()
}

// beginClaim tells the peers, so that they hold back, and then asks for what a claim needs.
func (m *Machine) beginClaim() {
	m.claim = min(m.epoch+1, maxEpoch) // E8
	m.epoch = m.claim
	m.yielding = false
	m.send()
	if m.mustProbe {
		m.ask(probing)
	} else {
		m.ask(claiming)
	}
}

// withdraw gives up a claim that is under way: somebody else has, or shall have, the VIP, or this node has
// become unfit. A Claim already asked for may succeed yet, so it is released.
func (m *Machine) withdraw(why Reason) {
	if m.pending == probing {
		m.forgetRequest()
		return
	}
	m.becomeDraining(why, Backup)
}

// unanswered: the shell was too slow.
func (m *Machine) unanswered() {
	late := "no answer within " + m.cfg.AnswerTimeout.String()
	if m.pending == probing {
		m.becomeFault(Reason{Why: WhyProbeFailed, Detail: late})
		return
	}
	m.becomeFault(Reason{Why: WhyClaimFailed, Detail: late})
	m.held = true // it may succeed yet
	m.ask(releasing)
}

func (m *Machine) probed(ev Probed) {
	if !m.answered(probing, ev.Token) {
		return
	}
	switch {
	case ev.Err != nil:
		m.becomeFault(Reason{Why: WhyProbeFailed, Detail: ev.Err.Error()})
	case ev.Owner != "":
		m.foreign = ev.Owner
		m.becomeFault(Reason{Why: WhyForeignOwner, Detail: ev.Owner})
	default:
		m.mustProbe = false
		m.ask(claiming)
	}
}

func (m *Machine) claimed(ev Claimed) {
	if !m.answered(claiming, ev.Token) {
		return
	}
	if ev.Err != nil {
		m.becomeFault(Reason{Why: WhyClaimFailed, Detail: ev.Err.Error()})
		return
	}
	m.becomeActive()
}
