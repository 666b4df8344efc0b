package election

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// maxAsked bounds the nonces that are outstanding: the rounds of two active-down intervals.
	maxAsked = 16

	// minRound is how long an answer is waited for at least when a fast signal says that nobody will
	// give one (E7): twenty times what a network and a keeper need that do nothing else.
	minRound = 3 * time.Millisecond

	// pingInterval is how often the active is asked while its adverts come, to know how long an answer takes
	// (E7), and how often broken paths are tried while another one serves in their place (E4).
	pingInterval = time.Second
)

// asked is one query: what is needed to judge its answer.
type asked struct {
	nonce uint64
	at    time.Time
}

// query sends one round: to p, or to all when that is nil.
func (m *Machine) query(p *peer, via Path) {
	m.round++
	m.askedAt = m.now
	m.question(p, Query{Round: m.round, Via: via})
}

// question sends one to p, or to all when that is nil.
func (m *Machine) question(p *peer, q Query) {
	q.Nonce = m.nonce()
	a := asked{nonce: q.Nonce, at: m.now}
	if p != nil {
		q.Node, q.Addr = p.Node, p.Addr
	}
	m.asked[m.queries%maxAsked] = a
	m.do(q)
}

// nonce returns one that no machine has used before: of this boot, this group and a count. It need not be
// secret: with a balancer key only balancers can make a question.
func (m *Machine) nonce() uint64 {
	m.queries++
	b := binary.BigEndian.AppendUint64(nil, m.cfg.Boot)
	b = binary.BigEndian.AppendUint64(b, m.queries)
	sum := sha256.Sum256(append(b, m.cfg.Group...))
	return max(1, binary.BigEndian.Uint64(sum[:]))
}

// answeredQuery takes in an answer as if it were an advert, but only if it was asked for, and only if nothing
// newer is known: answers come by paths of different length.
func (m *Machine) answeredQuery(ev Answered) {
	q := m.outstanding(ev.Nonce)
	if q == nil || ev.Path == 0 {
		return
	}
	if i, ok := m.findPeer(ev.Node); ok {
		p := m.peers[i]
		if p.Boot == ev.Boot && ev.Group.Epoch < p.Group.Epoch || p.Boot != ev.Boot && !q.at.After(p.since) {
			return // from before what it said last, or from before its restart, which came after the question
		}
		if ev.Path == PathWire { // the kernel may first have to find the MAC: no measure of the keeper
			p.wire.answer(m.cfg.AdvertInterval)
		} else {
			p.rtt = max(p.rtt, m.now.Sub(q.at), 1) // 0: not known
		}
	}
	p := m.hear(ev.Heard, ev.Path)
	if p != nil && m.state == Active && !m.verifyBy.IsZero() {
		m.verified(p)
	}
}

func (m *Machine) outstanding(nonce uint64) *asked {
	for i := range m.asked {
		if m.asked[i].nonce == nonce && nonce != 0 {
			return &m.asked[i]
		}
	}
	return nil
}

// gone: nothing is left to wait for but the answers to one query round, once an earlier answer has shown how
// long that takes (E7).
func (m *Machine) gone(ev Gone) {
	i, ok := m.findPeer(ev.Node)
	if !ok || !m.standsBy() || m.pending != nothing {
		return
	}
	p := m.peers[i]
	if p.Boot != ev.Boot || !p.holds() || p.rtt == 0 {
		return
	}
	round := max(minRound, 2*p.rtt, p.lateness)
	if by := m.now.Add(round); by.Before(p.until) {
		p.from, p.until = m.now, by
		m.askedAt = time.Time{} // the round is due now, however short ago the last one was
	}
}
