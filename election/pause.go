package election

import "time"

// paused: the process stood still. What it knew is worth nothing until somebody says it again (E14).
func (m *Machine) paused(d time.Duration) {
	m.slept = false // known better now
	m.solicited, m.proof = time.Time{}, time.Time{}
	switch {
	case m.standsBy():
		if m.take.phase == takePrepares || m.take.phase == takeReady {
			m.refuseLate(m.cfg.Node + " was paused")
		}
		if m.pending != nothing {
			m.withdraw(Reason{Why: WhyPaused, Detail: d.String()})
		}
		m.floor, m.relievedAt = later(m.floor, m.now.Add(activeDown(m.cfg.AdvertInterval))), time.Time{}
	case m.state == Active:
		if m.give.phase == giveOffered {
			m.offerFailed(m.cfg.Node+" was paused", MsgRefuse)
		}
		if m.state == Active {
			m.verify(d)
		}
	}
}

// verify fences an active that was paused for d, and asks all who may have taken its place meanwhile. Those
// who were alive before the pause are waited for, for as long as they would have waited for this node.
func (m *Machine) verify(d time.Duration) {
	m.fence()
	m.verifyBy = m.now.Add(m.cfg.AdvertInterval)
	for _, p := range m.peers {
		p.awaited = p.until.After(m.now.Add(-d))
		if p.awaited {
			m.verifyBy = m.now.Add(activeDown(m.cfg.AdvertInterval))
		}
	}
	m.round = 0
	m.query(nil, AllPaths)
}

// verified: once all have answered and none is active with a higher claim, there is nothing to fear.
func (m *Machine) verified(p *peer) {
	p.awaited = false
	for _, p := range m.peers {
		if p.awaited {
			return
		}
	}
	m.resume()
}

// resume ends a verification: this node is still the active, and nothing was released.
func (m *Machine) resume() {
	m.verifyBy = time.Time{}
	m.unfence()
	m.announce()
	m.send()
}

// tickVerify asks again, and goes on without those who do not answer.
func (m *Machine) tickVerify() {
	switch {
	case m.due(m.verifyBy):
		m.resume()
	case m.due(m.verifyAt()):
		m.query(nil, AllPaths)
	}
}

// verifyAt returns when the next query round of a verification is due; zero when there is none.
func (m *Machine) verifyAt() time.Time {
	if m.verifyBy.IsZero() {
		return time.Time{}
	}
	return m.askedAt.Add(m.cfg.AdvertInterval / 2)
}

// isolate: a node that hears nobody on the VIP's segment must not stand for it there. The address stays, so
// that a short break of the network costs no connection; it goes when somebody else turns out to have it (E12).
func (m *Machine) isolate(yes bool) {
	if yes == m.isolated {
		return
	}
	m.isolated = yes
	why := Reason{Why: WhyIsolated}
	switch {
	case yes && m.state == Active:
		if m.ending() {
			m.becomeDraining(why, Init)
			return
		}
		m.fence()
		m.kept = true
		m.becomeFault(why)
	case yes && m.state == Backup:
		claiming := m.pending == claiming
		m.becomeFault(why)
		if claiming {
			m.held = true // it may succeed yet
			m.ask(releasing)
		}
	case yes && m.standsBy():
		if m.pending != nothing {
			m.withdraw(why)
		}
	case !yes && m.standsBy():
		m.floor = later(m.floor, m.now.Add(activeDown(m.cfg.AdvertInterval))) // it could hear nobody until now
	case !yes && m.state == Fault && (m.reason.Why == WhyIsolated || m.retryAt.IsZero()) && m.pending == nothing && !m.held:
		m.becomeBackup(Reason{Why: WhyRetry})
	}
}

func (m *Machine) fence() {
	if !m.fenced {
		m.fenced = true
		m.do(Fence{})
	}
}

func (m *Machine) unfence() {
	if m.fenced {
		m.fenced = false
		m.do(Unfence{})
	}
}

// announce does so unless this node is fenced: it will when that ends.
func (m *Machine) announce() {
	if !m.fenced {
		m.do(Announce{})
	}
}
