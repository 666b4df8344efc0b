package election

import "time"

// released: the VIP is off this node, or may not be.
func (m *Machine) released(ev Released) {
	if !m.answered(releasing, ev.Token) {
		return
	}
	m.kept = m.kept && ev.Err != nil
	switch {
	case m.state == Draining && m.next == Init:
		m.sayFarewell()
	case ev.Err != nil:
		m.releaseFailed(ev.Err.Error())
	case m.state == Draining:
		m.relieved()
	default:
		m.held = false
		if m.retryAt.IsZero() && !m.isolated {
			m.becomeBackup(Reason{Why: WhyRetry})
		}
	}
}

// relieved goes back to Backup. Whoever drained in favour of a peer says so in the same breath, and goes
// on saying it until somebody is active or its own turn has come.
func (m *Machine) relieved() {
	if m.reason.Why.yields() && m.activePeer() == nil {
		m.yielding, m.repeats = true, yieldRepeats
	}
	m.becomeBackup(m.reason)
}

// yields: a peer shall take over. (What was lost in a conflict, a peer has.)
func (w Why) yields() bool {
	return w == WhyNotServing || w == WhyPreempted || w == WhyFitter || w == WhyNotUseful || w == WhyHandover
}

// releaseFailed: a node that may still have the VIP must not take part; it tries again to get rid of it.
func (m *Machine) releaseFailed(detail string) {
	if m.state == Draining {
		m.becomeFault(Reason{Why: WhyReleaseFailed, Detail: detail})
	}
	m.held = true
	m.retryAt = m.now.Add(m.cfg.RetryInterval)
}

// sayFarewell yields for good, as often as it takes to be heard; then comes the end.
func (m *Machine) sayFarewell() {
	if m.successor() == nil {
		m.becomeInit()
		return
	}
	m.farewell, m.yielding, m.repeats, m.yieldBy = true, true, yieldRepeats, time.Time{}
	m.send()
}

// heardInDraining: once a peer takes over, there is nothing left to say.
func (m *Machine) heardInDraining(p *peer) {
	if m.farewell && (p.active() || p.claiming()) {
		m.becomeInit()
	}
}

func (m *Machine) tickDraining() {
	switch {
	case m.farewell:
		if m.due(m.nextSend) && m.repeats == 0 {
			m.becomeInit()
		}
	case m.due(m.answerBy):
		m.forgetRequest()
		if m.next == Init {
			m.sayFarewell()
			return
		}
		m.releaseFailed("no answer within " + m.cfg.AnswerTimeout.String())
	case m.due(m.yieldBy):
		// A Release that hangs must not keep the peers from claiming longer than silence would.
		m.yieldBy = time.Time{}
		m.yielding = true
		m.send()
	}
}

// tickFault tries again: first to get rid of the VIP, if it may still be here, then to take part.
func (m *Machine) tickFault() {
	if m.pending == releasing && m.due(m.answerBy) {
		m.forgetRequest()
		m.releaseFailed("no answer within " + m.cfg.AnswerTimeout.String())
	}
	if m.pending == releasing || m.isolated && !m.held || !m.due(m.retryAt) {
		return
	}
	if m.held {
		m.retryAt = time.Time{}
		m.ask(releasing)
		return
	}
	m.becomeBackup(Reason{Why: WhyRetry})
}
