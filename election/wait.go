package election

import "time"

// wait is what a backup waits for before it claims: a silence that has to last.
type wait struct {
	p        *peer     // whose, if anybody is known to hold the VIP
	from     time.Time // questions are asked from then on; zero: there is nothing to ask
	until    time.Time // the best candidate claims then
	interval time.Duration
	ordinary time.Time // until, had no fast signal shortened it
}

// waiting returns what this backup waits for; false while it may not claim, or does. It depends on what was
// heard only, never on now: the last sign of anybody who holds the VIP (E4).
func (m *Machine) waiting() (wait, bool) {
	if !m.settled || !m.fit() || m.pending != nothing || m.isolated || m.mustGo() {
		return wait{}, false
	}
	down := activeDown(m.cfg.AdvertInterval)
	w := wait{until: m.floor, interval: m.cfg.AdvertInterval, ordinary: m.floor}
	if m.relievedAt.IsZero() || m.now.Sub(m.relievedAt) > down+skew(MaxPeers, w.interval) {
		w.from = m.floor.Add(-down + questionsAfter(down))
	}
	for _, p := range m.peers {
		switch {
		case !m.waitsFor(p):
		case p.until.After(w.until):
			w = wait{p: p, from: p.from, until: p.until, interval: p.Interval, ordinary: p.at.Add(p.patience)}
		case w.p == nil || p.until.After(w.p.until):
			w.p = p
		}
	}
	return w, true
}

// turn returns when this backup claims unless something is heard before: its rank among those who are alive
// when the wait ends decides (E9).
func (m *Machine) turn(w wait) time.Time { return w.until.Add(skew(m.rankAt(w.until), w.interval)) }

// deafAt returns when a backup whose turn has come must take it that it is deaf, for want of a proof that it
// is not (E5).
func (m *Machine) deafAt(w wait) time.Time {
	return later(m.turn(w), w.ordinary.Add(skew(m.rankAt(w.until), w.interval))).Add(w.interval)
}

// proven: this node's own receive path works, so that silence is the others'. A node that knows no third
// station has nobody to prove it by, and one that was just asked to take over has heard it (E5).
func (m *Machine) proven(w wait) bool {
	return !m.third || w.from.IsZero() || !m.solicited.Before(w.from) && !m.proof.Before(m.solicited)
}

// askAt returns when the next query round is due; zero for none.
func (m *Machine) askAt(w wait) time.Time {
	if w.from.IsZero() {
		return time.Time{}
	}
	var first, next time.Time
	if m.solicited.Before(w.from) {
		first = w.from
	}
	next = later(w.from, m.askedAt.Add(w.interval/2))
	if w.p != nil {
		beat := max(pingInterval, w.p.Interval)
		if w.p.path != 0 {
			beat = w.p.Interval
		}
		next = earliest(later(w.from, m.askedAt.Add(w.p.Interval/2)), m.askedAt.Add(beat))
	}
	return earliest(first, next)
}

// askRound asks everybody who could know better, by every path, once an advert is missed (E4), and somebody
// who shows that this node can hear (E5). While one path serves in place of the adverts, it is that path's turn
// each interval, and the others' once a second. While all is well one question a second shows how long an
// answer takes (E7).
func (m *Machine) askRound(w wait) {
	missed := m.due(w.from)
	if missed && m.solicited.Before(w.from) {
		m.solicited, m.round, m.solicitAt = m.now, 0, m.now
	}
	if missed && m.third && !m.proven(w) && m.due(m.solicitAt) { // again, since a frame may be lost
		m.solicitAt = m.now.Add(w.interval)
		m.do(Solicit{})
	}
	if w.p == nil {
		m.query(nil, AllPaths)
		return
	}
	to, via := w.p, PathDirect
	switch {
	case missed:
		w.p.path = 0 // if one served, it does no longer: whoever answers first will
		via = AllPaths
		if !w.p.active() || m.othersHold(w.p) {
			to = nil // the adverts of whoever else has it may not come
		}
	case w.p.path == 0:
		m.round = -1
	case m.now.Sub(m.askedAll) >= pingInterval:
		via = AllPaths
	default:
		via = w.p.path
	}
	if via == AllPaths {
		m.askedAll = m.now
	}
	m.query(to, via)
}

// nextInBackup returns when a backup wants its next Tick, adverts aside.
func (m *Machine) nextInBackup() time.Time {
	w, ok := m.waiting()
	if !ok {
		return time.Time{}
	}
	turn := m.turn(w)
	if m.due(turn) && !m.proven(w) && !m.solicited.Before(w.from) {
		turn = m.deafAt(w)
	}
	return earliest(m.askAt(w), m.watchAt(), turn)
}
