package election

import (
	"fmt"
	"time"
)

// arrows are the transitions that State's diagram allows. Init to Init is a Shutdown before the first Tick.
var arrows = [numStates][numStates]bool{
	Init:     {Init: true, Backup: true},
	Backup:   {Init: true, Active: true, Draining: true, Fault: true},
	Active:   {Draining: true, Fault: true},
	Draining: {Init: true, Backup: true, Active: true, Fault: true},
	Fault:    {Init: true, Backup: true, Draining: true},
}

// become is for the become… methods alone: it does what all transitions have in common.
func (m *Machine) become(to State, why Reason) {
	if !arrows[m.state][to] || why.Why == 0 {
		panic(fmt.Sprintf("election: invalid transition %v → %v (%v)", m.state, to, why))
	}
	if to != Draining {
		m.giveEnds(false)
	}
	m.dropAgain(m.cfg.Node + " is not active any more")
	m.news = append(m.news, Changed{From: m.state, To: to, Reason: why, Epoch: m.epoch})
	m.state, m.since, m.reason = to, m.now, why
	m.transitions++
	m.forgetRequest()
	m.settleBy, m.retryAt, m.yieldBy, m.betterSince = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	m.verifyBy, m.relievedAt, m.endAt = time.Time{}, time.Time{}, time.Time{}
	m.voluntary, m.useless = m.voluntary && to == Active, false
}

// becomeBackup waits for the active to be lost. Whatever came before, it does so for a full active-down
// interval; after the start, this begins when the seeds have been tried (E11).
func (m *Machine) becomeBackup(why Reason) {
	switch {
	case m.leaving && m.kept:
		m.becomeDraining(Reason{Why: WhyShutdown}, Init)
		return
	case m.leaving: // something has overtaken the handover that the shutdown had begun with
		m.becomeInit()
		return
	}
	m.send()
	m.become(Backup, why)
	m.held, m.pardoned = false, false
	m.lost = Reason{Why: WhyNoActive}
	m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval))
	if !m.settled {
		m.settleBy = m.now.Add(m.cfg.SettleTimeout)
	}
}

// becomeActive follows a Claim that succeeded. Clients come first: announce, then tell the peers.
func (m *Machine) becomeActive() {
	m.kept = false
	ending, failed := m.ending(), m.give
	if failed.phase == giveHands {
		m.give.asker = asker{} // it is answered when nothing more is tried
	}
	m.unfence()
	m.do(Announce{})
	m.send()
	m.become(Active, m.lost)
	m.answerLate(false)
	m.tookOver()
	m.defended = time.Time{}
	for _, p := range m.peers {
		p.rival, p.contested = p.mayHold(), time.Time{}
	}
	switch {
	case failed.phase == giveHands && m.tryAgain(failed.wish):
	case ending:
		m.endAt = m.now
	case failed.phase == giveHands:
		m.answer(failed.asker, HandedOver{Err: failed.node + " did not take over"})
	}
}

// becomeDraining gives the VIP up, and becomes next when it is off. It is mute at once (E8).
func (m *Machine) becomeDraining(why Reason, next State) {
	if m.ending() {
		next = Init // whatever overtakes the handover that it had begun with
	}
	m.giveEnds(false)
	m.fence()
	m.become(Draining, why)
	m.next, m.farewell = next, false
	m.yieldBy = m.now.Add(activeDown(m.cfg.AdvertInterval))
	m.ask(releasing)
}

// becomeFault steps aside for Config.RetryInterval, and tells the peers at once that this node will not claim.
func (m *Machine) becomeFault(why Reason) {
	if why.Why != WhyIsolated || m.state != Active {
		m.refuseLate(m.cfg.Node + " is in fault")
	}
	m.repeats = yieldRepeats
	m.send()
	m.become(Fault, why)
	m.yielding = false
	m.retryAt = m.now.Add(m.cfg.RetryInterval)
}

// becomeInit ends the machine. The last advert tells the peers not to wait for this node.
func (m *Machine) becomeInit() {
	m.refuseLate(m.cfg.Node + " ends")
	m.answerLate(true)
	m.send()
	m.become(Init, Reason{Why: WhyShutdown})
}
