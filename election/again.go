package election

import "time"

// handoverTries is how often somebody else may prepare, and then not take over, before a handover has failed: a
// busy machine is told too late now and then, and who is to end, or cannot serve, would break its connections.
const handoverTries = 3

// hurriedOffer is how long a node whose proxy stands still waits for a fit peer to prepare, which takes it some
// milliseconds, before it lets its connections go. A busy machine made it wait for 110.
const hurriedOffer = 500 * time.Millisecond

// retries: a handover has come to nothing and will be tried again.
func (m *Machine) retries() bool { return !m.againAt.IsZero() }

// tryAgain puts a handover off, by as long as it takes that all have heard what is now; false if it has been
// tried often enough.
func (m *Machine) tryAgain(w wish) bool {
	if w.failed++; w.failed >= handoverTries || m.state != Active {
		return false
	}
	m.again, m.againAt = w, m.now.Add(activeDown(m.cfg.AdvertInterval))
	return true
}

// tickAgain tries it again.
func (m *Machine) tickAgain() {
	if m.due(m.againAt) {
		w := m.again
		m.again, m.againAt = wish{}, time.Time{}
		m.handOver(w)
	}
}

// dropAgain forgets what was put off.
func (m *Machine) dropAgain(why string) {
	if m.retries() {
		who := m.again.asker
		m.again, m.againAt = wish{}, time.Time{}
		m.answer(who, HandedOver{Err: why})
	}
}

// offerTime returns how long an answer to an offer is waited for.
func (m *Machine) offerTime(w wish, node string) time.Duration {
	if w.why == WhyNotServing { // every moment of it costs
		return min(max(hurriedOffer, m.promiseWith(node)), m.cfg.AnswerTimeout)
	}
	return m.cfg.AnswerTimeout
}

// promiseWith returns T for a handover with a node: longer where one of the two has been late of late (E13).
func (m *Machine) promiseWith(node string) time.Duration {
	late := m.late.longest(m.now)
	if i, known := m.findPeer(node); known {
		late = max(late, m.peers[i].lateness)
	}
	return max(promise(m.cfg.AdvertInterval), patience(m.cfg.AdvertInterval, late))
}

// resumesAfter returns when a giver may claim again that has heard nothing since Ready, whose promise was for d:
// once that has ended, and a claim that was begun at its end has been heard of.
func (m *Machine) resumesAfter(d time.Duration) time.Duration {
	base := promise(m.cfg.AdvertInterval)
	return min(max(base, d), longestJitter(m.cfg.AdvertInterval)) + 2*base
}
