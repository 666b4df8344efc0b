package election

import (
	"fmt"
	"time"
)

// giving is the part of the one who hands over.
type giving struct {
	phase givePhase
	wish
	node  string // to whom
	boot  uint64
	nonce uint64
	by    time.Time // giveOffered: an answer has come; giveDrains: the deadline
	epoch uint64    // of the claim that was given up; an own one since then may have been withdrawn
	since time.Time // giveDrains
	left  int       // giveDrains: connections, −1 for not known
}

type givePhase uint8

const (
	giveNothing givePhase = iota
	giveOffered           // Active: the other one prepares
	giveHands             // Draining: it has been told to take over
	giveDrains            // Draining: it is active, this node has the old connections
)

// wish is why the VIP shall move, where to, and what becomes of this node then.
type wish struct {
	why    Why
	to     string // "": the best candidate
	then   State  // Backup, or Init for a shutdown
	must   bool   // what cannot be done without loss is done with it
	detail string
	asker  asker
	failed int // how often somebody else prepared and did not take over
}

// asker is who waits for an answer: the shell (node ""), another node, or nobody (id 0).
type asker struct {
	id   uint64
	node string
	boot uint64
	by   time.Time // an answer that depends on others is given then at the latest
}

// ending: it was asked to end, and hands over before it does.
func (m *Machine) ending() bool {
	return m.give.phase != giveNothing && m.give.then == Init || m.retries() && m.again.then == Init
}

// standsBy: this node may claim, if it is fit. One that drains is like a backup that has an address.
func (m *Machine) standsBy() bool {
	return m.state == Backup || m.state == Draining && m.give.phase >= giveHands
}

// standby: this node has connections of a VIP that another one has, or wants it back.
func (m *Machine) standby() bool {
	return m.give.phase == giveDrains || m.give.phase == giveHands && m.pending != nothing
}

// askedToHandOver by this node's own operator. What is asked of a backup it asks of the active.
func (m *Machine) askedToHandOver(ev Handover) {
	who := asker{id: ev.ID}
	if m.state == Active {
		m.handOver(wish{why: WhyHandover, to: ev.To, then: Backup, asker: who})
		return
	}
	p := m.activePeer()
	switch {
	case p == nil:
		m.answer(who, HandedOver{Err: "nobody is known to be active"})
	case p.Node == ev.To:
		m.answer(who, HandedOver{Err: p.Node + " is active already"})
	case m.links[p.Node] != p.Boot:
		m.answer(who, HandedOver{Err: "no state channel to " + p.Node + ", which is active"})
	case m.asking.id != 0:
		m.answer(who, HandedOver{Err: "another handover is being asked for"})
	default:
		m.asking = asker{id: ev.ID, node: p.Node, boot: p.Boot, by: m.now.Add(3 * m.cfg.AnswerTimeout)}
		m.tell(p.Node, p.Boot, Message{Kind: MsgAsk, Nonce: ev.ID, To: ev.To})
	}
}

// askAnswered: the active says how it went.
func (m *Machine) askAnswered(ev Said) {
	if a := m.asking; a.id != 0 && a.id == ev.Message.Nonce && a.node == ev.Node && a.boot == ev.Boot {
		m.asking = asker{}
		m.do(HandedOver{ID: a.id, To: ev.Message.To, Err: ev.Message.Text, Lossy: ev.Message.Lossy})
	}
}

// answer tells whoever asked how it ended.
func (m *Machine) answer(who asker, how HandedOver) {
	switch {
	case who.id == 0:
	case who.node == "":
		how.ID = who.id
		m.do(how)
	default:
		m.tell(who.node, who.boot, Message{Kind: MsgAnswer, Nonce: who.id, To: how.To, Text: how.Err, Lossy: how.Lossy})
	}
}

// handOver begins a planned move, the way of every voluntary one. It ends with an answer to the wish's asker.
func (m *Machine) handOver(w wish) {
	p, why := m.target(w.to)
	switch {
	case m.state != Active:
		m.answer(w.asker, HandedOver{Err: m.cfg.Node + " is not active any more"})
	case m.give.phase != giveNothing:
		m.answer(w.asker, HandedOver{Err: "a handover to " + m.give.node + " is under way"})
	case m.retries():
		m.answer(w.asker, HandedOver{Err: "a handover is under way"})
	case p == nil && w.failed > 0 && m.tryAgain(w):
	case p == nil && w.must:
		m.becomeDraining(Reason{Why: w.why, Detail: why}, w.then)
	case p == nil:
		m.answer(w.asker, HandedOver{Err: why})
	case !m.lossless:
		m.releaseFirst(w, p.Node, m.notLossless)
	case m.lossyTo[p.Node] != "":
		m.releaseFirst(w, p.Node, m.lossyTo[p.Node])
	case m.links[p.Node] != p.Boot:
		m.releaseFirst(w, p.Node, "no state channel")
	default:
		m.give = giving{
			phase: giveOffered, wish: w, node: p.Node, boot: p.Boot, nonce: m.nonce(), by: m.now.Add(m.offerTime(w, p.Node)), left: -1,
		}
		m.tell(p.Node, p.Boot, Message{Kind: MsgOffer, Nonce: m.give.nonce, Epoch: m.claim, For: m.cfg.DrainDeadline})
	}
}

// target returns who shall take over, or why nobody can. While another node drains it is the only one.
func (m *Machine) target(to string) (*peer, string) {
	if to == m.cfg.Node {
		return nil, to + " is active already"
	}
	switch drained := m.drained(); {
	case drained != "" && to == "":
		to = drained
	case drained != "" && to != drained:
		return nil, fmt.Sprintf("%s still drains; until it has ended, the VIP can go back to it only", drained)
	}
	if to == "" {
		if p := m.successor(); p != nil {
			return p, ""
		}
		return nil, "no other node is there that could serve"
	}
	i, known := m.findPeer(to)
	switch {
	case !known || !m.peers[i].until.After(m.now):
		return nil, to + " is not heard"
	case !m.peers[i].candidate():
		g := m.peers[i].Group
		return nil, fmt.Sprintf("%s cannot take over: it is %v, priority %d, fitness %d", to, g.State, g.Priority, g.Fitness)
	}
	return m.peers[i], ""
}

// drained returns the node that drains to this one, "" for none.
func (m *Machine) drained() string {
	if m.take.phase == takeForwards {
		return m.take.node
	}
	for _, p := range m.peers {
		if p.Group.State == Draining && p.Group.Standby && p.until.After(m.now) {
			return p.Node
		}
	}
	return ""
}

// releaseFirst moves the VIP without a forward table: it goes off here, then somebody claims it.
func (m *Machine) releaseFirst(w wish, node, why string) {
	if m.moved = w.asker; w.asker.id != 0 {
		m.moved.by = m.now.Add(m.cfg.AnswerTimeout + 2*activeDown(m.cfg.AdvertInterval))
	}
	why = "not lossless: " + why
	if w.detail != "" {
		why = w.detail + "; " + why
	}
	m.becomeDraining(Reason{Why: w.why, Node: node, Detail: why}, w.then)
}

// gives says whether a message is of the handover under way.
func (m *Machine) gives(ev Said) bool {
	g := &m.give
	return g.phase != giveNothing && g.node == ev.Node && g.boot == ev.Boot && g.nonce == ev.Message.Nonce
}

// ready: the other one has its table, and claims when told so. From here on this node says nothing.
func (m *Machine) ready(ev Said) {
	g := &m.give
	i, known := m.findPeer(ev.Node)
	if !m.gives(ev) || g.phase != giveOffered || !m.verifyBy.IsZero() || !known || !m.peers[i].candidate() {
		return // its promise ends by itself
	}
	m.fence()
	m.become(Draining, Reason{Why: g.why, Node: g.node, Detail: g.detail})
	g.phase, g.by, g.epoch = giveHands, time.Time{}, m.claim
	// Before it claims again it asks, as any backup does: the other one may be active, and only not heard (E4).
	m.floor, m.relievedAt = m.now.Add(m.resumesAfter(ev.Message.For)), time.Time{}
	m.lost = Reason{Why: WhyResumed, Node: g.node}
	m.tell(g.node, g.boot, Message{Kind: MsgTake, Nonce: g.nonce})
	m.send()
	m.do(Drain{For: m.cfg.DrainDeadline + leaseBeyondDrain})
}

// refused: the other one will not claim, or not any more.
func (m *Machine) refused(ev Said) {
	if !m.gives(ev) {
		return
	}
	switch m.give.phase {
	case giveOffered:
		m.offerFailed(ev.Message.Text, ev.Message.Kind)
	case giveHands:
		m.floor, m.relievedAt = m.now, m.now
	case giveDrains:
		if ev.Message.Kind == MsgUnable {
			m.endDrain()
		}
	}
}

// offerFailed: nothing has changed yet. What was refused may be accepted the next time; whoever must go then, or
// may break connections, releases first. how is MsgRefuse, MsgUnable, or 0 for no answer.
func (m *Machine) offerFailed(why string, how MessageKind) {
	g := m.give
	m.give = giving{}
	m.betterSince = time.Time{}
	switch {
	case how == MsgRefuse && m.tryAgain(g.wish):
	case g.why == WhyNotServing && m.successor() == nil: // half a service beats none
	case g.must || how == MsgUnable:
		m.releaseFirst(g.wish, g.node, why)
	default:
		m.answer(g.asker, HandedOver{Err: why})
	}
}

// heardStandingBy: who takes over, or has. What comes of it beyond a backup's affairs.
func (m *Machine) heardStandingBy(p *peer) {
	g := &m.give
	switch {
	case g.phase < giveHands || !p.active():
	case p.Node != g.node || p.Boot != g.boot:
		if best := m.activePeer(); best == nil || best.Node != g.node || best.Boot != g.boot {
			m.endDrain() // nobody forwards to this node
		}
	case g.phase == giveHands && p.Group.Epoch > g.epoch:
		g.phase, g.since, g.by = giveDrains, m.now, m.now.Add(m.cfg.DrainDeadline)
		m.answer(g.asker, HandedOver{To: g.node})
		g.asker = asker{}
		m.do(DrainProxy{For: m.cfg.DrainDeadline})
		m.send()
	}
}

// endDrain gives the address up: nothing is left, or nothing more can be saved.
func (m *Machine) endDrain() {
	g := m.give
	m.giveEnds(true)
	if g.phase == giveDrains {
		m.tell(g.node, g.boot, Message{Kind: MsgDrained, Nonce: g.nonce, Left: max(0, g.left)})
	}
	m.fence()
	m.forgetRequest()
	m.next, m.farewell = g.then, false
	m.yieldBy = m.now.Add(activeDown(m.cfg.AdvertInterval))
	m.ask(releasing)
}

// giveEnds forgets the handover, whatever its phase. cut: connections that are left are given up.
func (m *Machine) giveEnds(cut bool) {
	g := m.give
	m.give = giving{}
	if g.phase == giveDrains {
		m.do(ResumeProxy{Cut: cut})
	}
	m.answer(g.asker, HandedOver{Err: fmt.Sprintf("%s did not take over", g.node)})
}

// drainAgain: a claim for what is drained was given up; the claimer may have begun to speak.
func (m *Machine) drainAgain() {
	m.forgetRequest()
	m.fence()
	m.do(Drain{For: m.cfg.DrainDeadline + leaseBeyondDrain})
}

// tickGiving ends what has lasted too long, and a drain that has nothing left.
func (m *Machine) tickGiving() {
	g := &m.give
	switch {
	case g.phase == giveOffered && m.due(g.by):
		m.offerFailed(fmt.Sprintf("no answer from %s in time", g.node), 0)
	case m.due(m.giveDeadline()):
		m.endDrain()
	}
}

// mustGo: this node does not claim again when nobody takes over, but releases first and then yields.
func (m *Machine) mustGo() bool {
	return m.give.phase == giveHands && (m.give.then == Init && m.give.failed+1 >= handoverTries || !m.fit())
}

// drainEnds returns when the drain does. It is never short, since frames still come by old ARP entries.
func (m *Machine) drainEnds() time.Time {
	g := &m.give
	if g.left == 0 {
		return earliest(g.by, g.since.Add(m.cfg.DrainLinger))
	}
	return g.by
}

// giveDeadline returns when this part wants a Tick, zero for never.
func (m *Machine) giveDeadline() time.Time {
	switch g := &m.give; {
	case g.phase == giveOffered:
		return g.by
	case m.pending != nothing: // a claim decides
	case m.mustGo():
		end := m.floor
		for _, p := range m.peers {
			if m.waitsFor(p) {
				end = later(end, p.until)
			}
		}
		return end
	case g.phase == giveDrains:
		return m.drainEnds()
	}
	return time.Time{}
}

// connections takes in how far the proxy's drain has come.
func (m *Machine) connections(left int) {
	if m.give.phase == giveDrains {
		m.give.left = left
	}
}

// heardOfMove: whoever asked for a move that released first learns where the VIP went.
func (m *Machine) heardOfMove(p *peer) {
	if m.moved.id != 0 && p.active() {
		m.answer(m.moved, HandedOver{To: p.Node, Lossy: true})
		m.moved = asker{}
	}
}

// answerLate gives up what nobody has answered; all of it when this machine ends.
func (m *Machine) answerLate(all bool) {
	if m.moved.id != 0 && (all || m.state == Active || m.due(m.moved.by)) {
		m.answer(m.moved, HandedOver{Err: "nobody has taken over"})
		m.moved = asker{}
	}
	if m.asking.id != 0 && (all || m.due(m.asking.by)) {
		m.do(HandedOver{ID: m.asking.id, Err: m.asking.node + " did not answer"})
		m.asking = asker{}
	}
}
