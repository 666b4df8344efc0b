package election

import (
	"slices"
	"strings"
	"time"
)

// peer is the last thing another node said.
type peer struct {
	Heard
	at    time.Time // when it was heard
	until time.Time // from then on its silence means that it is gone
	since time.Time // when this boot of it was first heard

	advertAt time.Time     // when its last advert came; at may be of an answer
	gaps     recent        // how long its adverts have been overdue
	lateness time.Duration // what it was allowed for when last heard (E13)
	patience time.Duration // how long its silence is borne: until − at, unless a fast signal shortens it (E7)
	asked    time.Duration // after what part of that questions begin
	from     time.Time     // when they do if it stays silent (E4)
	rtt      time.Duration // the longest that an answer of this boot took
	path     Path          // by which it answers though its adverts do not come; 0 when they do
	awaited  bool          // this node's verification waits for its answer (E14)
	wire     wireWatch     // how it answers on the VIP's segment (E6)
	plaint   plaint        // what it holds against this node (E6)
	useless  bool          // it yielded since it was out of its clients' reach, and does not say that this is over (E6)

	rival     bool      // it may have held the VIP while we did: announce once more when it has let go
	contested time.Time // when we last told it so
}

// record notes what p said, when, and until when it need not say more. Its silence is borne for longer when
// it says that it has been late of late, when its adverts have come late, or when this node itself wakes up
// late (E13). A peer that has just appeared has shown nothing of that yet. If it has the VIP, its
// silence is borne for as long as anybody's ever is; but it is asked as soon as any other one.
func (m *Machine) record(p *peer, h Heard, via Path) {
	if h.Boot != p.Boot {
		p.gaps, p.rtt, p.path, p.advertAt, p.since = recent{}, 0, 0, time.Time{}, m.now
		p.wire, p.plaint, p.useless = wireWatch{}, plaint{}, false
	}
	switch missed := m.now.Sub(p.advertAt) > p.asked; {
	case via == 0:
		m.advertCame(p, h.Interval)
	case missed && (p.path == 0 || via < p.path):
		p.path = via
	}
	p.Heard, p.at = h, m.now
	p.useless = p.useless && h.Group.Wire != WireAnswers && !p.active()
	p.lateness = min(max(h.Late, p.gaps.longest(m.now), m.late.longest(m.now)), longestJitter(h.Interval))
	p.patience = patience(h.Interval, p.lateness)
	p.asked = questionsAfter(p.patience)
	if p.holds() && m.now.Sub(p.since) < m.cfg.NewFor {
		p.patience = max(p.patience, newPatience)
	}
	p.from, p.until = m.now.Add(p.asked), m.now.Add(p.patience)
}

// advertCame notes how long it was overdue. What this node slept through was not the other's delay.
func (m *Machine) advertCame(p *peer, interval time.Duration) {
	gap := m.now.Sub(p.advertAt) - interval
	if !p.advertAt.IsZero() && gap < longestJitter(interval) && !m.slept {
		p.gaps.add(m.now, gap)
	}
	p.advertAt, p.path = m.now, 0
}

func (p *peer) rank() rank {
	return rank{p.Group.Standby, fitnessBucket(p.Group.Fitness), p.Group.Priority, p.Addr, p.Node, p.Boot}
}

func (p *peer) claimRank() claimRank { return claimRank{p.Group.Epoch, p.rank()} }

// active: it has the VIP and serves.
func (p *peer) active() bool { return p.Group.Priority > 0 && p.Group.State == Active }

// claiming: it is about to be active.
func (p *peer) claiming() bool {
	return p.Group.Priority > 0 && p.standsBy() && p.Group.Claiming
}

// standsBy: it may claim. One that only drains what it has left is like a backup.
func (p *peer) standsBy() bool {
	return p.Group.State == Backup || p.Group.State == Draining && p.Group.Standby
}

// holds: nobody else may claim. A draining node counts until it says that the VIP is off (priority 0), or that
// somebody else has it.
func (p *peer) holds() bool {
	return p.active() || p.claiming() || p.Group.Priority > 0 && p.Group.State == Draining && !p.Group.Standby
}

// waitsFor: this node claims nothing while it hears that of p. But of two that each wait for somebody to take over from
// them, the one with the better claim takes its own back: else they would wait for each other.
func (m *Machine) waitsFor(p *peer) bool {
	bothGive := m.state == Draining && p.Group.State == Draining
	return p.holds() && !(bothGive && m.claimRank().compare(p.claimRank()) > 0)
}

// mayHold: the VIP may be there, wanted or not.
func (p *peer) mayHold() bool {
	return p.Group.State == Active || p.Group.State == Draining || p.Group.State == Backup && p.Group.Claiming
}

// candidate: it could take the VIP over.
func (p *peer) candidate() bool {
	return p.Group.Priority > 0 && p.Group.Fitness > 0 && p.standsBy() && !p.Group.Claiming
}

// findPeer returns the place of the node in m.peers, which is sorted by name, and whether it is there.
func (m *Machine) findPeer(node string) (int, bool) {
	return slices.BinarySearchFunc(m.peers, node, func(p *peer, node string) int { return strings.Compare(p.Node, node) })
}

// peerOf returns the record of a node, a new one if need be; nil when the table is full of nodes that live.
func (m *Machine) peerOf(node string) *peer {
	i, ok := m.findPeer(node)
	if ok {
		return m.peers[i]
	}
	if len(m.peers) >= MaxPeers {
		m.peers = slices.DeleteFunc(m.peers, func(p *peer) bool { return !p.until.After(m.now) })
		if len(m.peers) >= MaxPeers {
			return nil
		}
		i, _ = m.findPeer(node)
	}
	p := &peer{}
	m.peers = slices.Insert(m.peers, i, p)
	return p
}

// peerGone forgets a node that is silent as well; adverts are better evidence than gossip.
func (m *Machine) peerGone(node string) {
	if i, ok := m.findPeer(node); ok && !m.peers[i].until.After(m.now) {
		m.peers = slices.Delete(m.peers, i, i+1)
	}
}

// activePeer returns the peer believed active, the one that would win if there were two; nil for none.
func (m *Machine) activePeer() *peer {
	var best *peer
	for _, p := range m.peers {
		if p.active() && p.until.After(m.now) && (best == nil || p.claimRank().compare(best.claimRank()) > 0) {
			best = p
		}
	}
	return best
}

// successor returns the best candidate heard of late, nil for none.
func (m *Machine) successor() *peer {
	var best *peer
	for _, p := range m.peers {
		if p.candidate() && p.until.After(m.now) && (best == nil || p.rank().compare(best.rank()) > 0) {
			best = p
		}
	}
	return best
}

// rankAt returns how many candidates alive at t are better than this node: 0 claims first. In place of one that
// was out of the clients' reach, hearing comes before rank: else the next one may be where that was (E6).
func (m *Machine) rankAt(t time.Time) int {
	n, own := 0, m.rank()
	for _, p := range m.peers {
		switch {
		case !p.candidate() || !p.until.After(t):
		case m.useless && m.hearing.beats(p.Group.Hearing):
		case p.rank().compare(own) > 0, m.useless && p.Group.Hearing.beats(m.hearing):
			n++
		}
	}
	return n
}
