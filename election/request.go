package election

import "time"

// What a machine wants of its shell.

// request is what the shell has been asked to do and the machine waits for.
type request uint8

const (
	nothing request = iota
	probing
	claiming
	releasing
)

func (m *Machine) do(a Action) { m.acts = append(m.acts, a) }

// ask requests something slow of the shell.
func (m *Machine) ask(r request) {
	m.token++
	m.pending, m.answerBy = r, m.now.Add(m.cfg.AnswerTimeout)
	if r == releasing {
		m.refuseLate(m.cfg.Node + " releases the VIP")
	}
	switch r {
	case probing:
		m.do(Probe{Token: m.token})
	case claiming:
		m.do(Claim{Token: m.token, Epoch: m.claim})
	case releasing:
		m.do(Release{Token: m.token})
	}
}

// answered reports whether token answers what is pending as r, which it then no longer is.
func (m *Machine) answered(r request, token uint64) bool {
	if m.pending != r || m.token != token {
		return false
	}
	m.forgetRequest()
	return true
}

func (m *Machine) forgetRequest() { m.pending, m.answerBy = nothing, time.Time{} }

// send advertises now.
func (m *Machine) send() {
	m.sentAt = m.now
	m.nextSend = m.now.Add(m.cfg.AdvertInterval)
	if m.repeats > 0 {
		m.repeats--
		m.nextSend = m.now.Add(min(m.cfg.AdvertInterval, yieldSpacing))
	}
	m.do(Send{})
}

// sendOnTime is the advert of each interval. It keeps the beat unless it has missed one.
func (m *Machine) sendOnTime() {
	beat, quick := m.nextSend.Add(m.cfg.AdvertInterval), m.repeats > 0
	m.send()
	if !quick && beat.After(m.now) {
		m.nextSend = beat
	}
}
