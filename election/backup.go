package election

import (
	"slices"
	"time"
)

// settle ends the wait of a cold start: from now on silence counts (E11).
func (m *Machine) settle() {
	if m.settled {
		return
	}
	m.settled, m.settleBy = true, time.Time{}
	m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval))
}

// settleOnceHeard does so when the seeds have been tried and all have been heard who are known to be there.
func (m *Machine) settleOnceHeard() {
	unheard := func(node string) bool { _, ok := m.findPeer(node); return !ok }
	if m.tried && !m.settled && !slices.ContainsFunc(m.known, unheard) {
		m.settle()
	}
}

func (m *Machine) heardInBackup(p *peer, was peer) {
	switch {
	case m.waitsFor(p):
		m.relievedAt, m.voluntary, m.useless = time.Time{}, false, false
		if !m.settled { // whoever hears the cluster need not look for it
			m.settle()
		}
		m.floor, m.pardoned = m.now, false
		if !p.claiming() && !m.giver(p) {
			m.lost = Reason{Why: WhyActiveSilent, Node: p.Node}
		}
		if p.active() {
			m.yielding = false
		}
	case !p.holds() && was.holds() && was.until.After(m.now):
		// It yields, or came back from a restart: there is nothing to wait for but better candidates (E7).
		m.floor, m.relievedAt = m.now, m.now
		if was.claiming() && m.othersHold(p) {
			m.askFirst()
		}
		m.voluntary = p.Boot == was.Boot && p.Group.State == Backup && p.Group.Fitness > 0
		m.useless = p.Group.Wire == WireSilent
		p.useless = m.useless
		if !was.claiming() {
			m.lost = Reason{Why: WhyYielded, Node: p.Node}
		}
	}
	if m.pending != nothing && (p.active() && !m.giver(p) || p.claiming() && p.claimRank().compare(m.claimRank()) > 0) {
		m.withdraw(Reason{Why: WhyWithdrawn, Node: p.Node})
	}
	if m.kept && m.state == Backup && p.active() {
		m.lose(p) // E12: somebody has taken it over
	}
}

// othersHold: by the last that it said somebody beside p has the VIP, however long ago that was.
func (m *Machine) othersHold(p *peer) bool {
	return slices.ContainsFunc(m.peers, func(o *peer) bool { return o != p && o.holds() })
}

// askFirst lets the rest of an active-down interval pass, with the questions that belong to it: whoever gave
// its claim up had its own reasons to take the active for gone, and for as long as it claimed nobody here asked
// the active (E4).
func (m *Machine) askFirst() {
	down := activeDown(m.cfg.AdvertInterval)
	m.floor, m.relievedAt = m.now.Add(down-questionsAfter(down)), time.Time{}
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
	w, ok := m.waiting()
	if !ok {
		return
	}
	m.watchWire()
	turn := m.turn(w)
	if m.due(m.askAt(w)) && (!m.due(turn) || !m.proven(w)) {
		m.askRound(w)
	}
	switch {
	case !m.due(turn):
	case m.slept && !m.pardoned:
		m.pardoned = true
		m.floor = m.now.Add(patience(m.cfg.AdvertInterval, m.late.longest(m.now)))
		m.relievedAt = time.Time{}
	case m.proven(w):
		m.beginClaim()
	case !m.due(m.deafAt(w)):
	case m.state == Draining: // it has connections to keep, and tries again
		m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval))
	default:
		m.becomeFault(Reason{Why: WhyDeaf})
	}
}

// beginClaim tells the peers, so that they hold back, and then asks for what a claim needs.
func (m *Machine) beginClaim() {
	if m.take.phase == takePrepares || m.take.phase == takeReady {
		m.refuseLate(m.cfg.Node + " claims on its own")
	}
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
	if m.take.phase == takeClaims {
		m.refuseLate(m.cfg.Node + " gives its claim up: " + why.String())
	}
	switch {
	case m.pending == probing:
		m.forgetRequest()
	case m.state == Draining:
		m.drainAgain()
	default:
		m.becomeDraining(why, Backup)
	}
}

// unanswered: the shell was too slow.
func (m *Machine) unanswered() {
	late := "no answer within " + m.cfg.AnswerTimeout.String()
	if m.pending == probing {
		m.notClear(Reason{Why: WhyProbeFailed, Detail: late})
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
		m.notClear(Reason{Why: WhyProbeFailed, Detail: ev.Err.Error()})
	case ev.Owner != "":
		m.foreign = ev.Owner
		m.notClear(Reason{Why: WhyForeignOwner, Detail: ev.Owner})
	default:
		m.mustProbe = false
		m.ask(claiming)
	}
}

// notClear: the wire does not say that the VIP is free. Whoever drains has its address still, and gives it up.
func (m *Machine) notClear(why Reason) {
	drains := m.state == Draining
	m.becomeFault(why)
	if drains {
		m.held = true
		m.ask(releasing)
	}
}

func (m *Machine) claimed(ev Claimed) {
	if !m.answered(claiming, ev.Token) {
		return
	}
	switch unheard := m.now.Sub(m.sentAt); {
	case ev.Err != nil:
		m.becomeFault(Reason{Why: WhyClaimFailed, Detail: ev.Err.Error()})
	case unheard >= (missedAdverts-1)*m.cfg.AdvertInterval:
		// The peers have not been told of this claim for so long that one of them may have made its own (E14).
		m.withdraw(Reason{Why: WhyPaused, Detail: unheard.String()})
	default:
		m.becomeActive()
	}
}

// received: this node can hear (E5).
func (m *Machine) received(at time.Time) {
	m.proof = later(m.proof, at)
	if m.state == Fault && m.reason.Why == WhyDeaf {
		m.retryAt = m.now
	}
}
