package election

import (
	"fmt"
	"time"
)

// taking is the part of the one who takes over.
type taking struct {
	phase takePhase
	node  string // of whom
	boot  uint64
	nonce uint64
	token uint64 // of Prepare
	drain time.Duration
	by    time.Time // takeReady: the promise ends; takeForwards: the table does
	heals bool      // takeForwards: of two actives that have met, and the table is being committed
}

type takePhase uint8

const (
	takeNothing  takePhase = iota
	takePrepares           // the table is being committed
	takeReady              // it is there: Take, within T, means claim
	takeClaims             // the claim is under way
	takeForwards           // active, with a table towards the drained one; or drained by that one in turn
)

// takes says what a message to this node must be about.
func (m *Machine) takes(ev Said, phase takePhase) bool {
	t := &m.take
	return t.phase == phase && t.node == ev.Node && t.boot == ev.Boot && t.nonce == ev.Message.Nonce
}

// offered: the active wants to hand over to this node.
func (m *Machine) offered(ev Said) {
	kind, why := m.mayTake(ev)
	if why != "" {
		m.tell(ev.Node, ev.Boot, Message{Kind: kind, Nonce: ev.Message.Nonce, Text: why})
		return
	}
	m.token++
	m.take = taking{
		phase: takePrepares, node: ev.Node, boot: ev.Boot, nonce: ev.Message.Nonce, token: m.token, drain: ev.Message.For,
	}
	m.do(Prepare{Token: m.token, Node: ev.Node, Boot: ev.Boot, For: ev.Message.For})
}

// mayTake returns why an offer is refused, "" when it is not.
func (m *Machine) mayTake(ev Said) (MessageKind, string) {
	i, known := m.findPeer(ev.Node)
	switch {
	case m.state == Draining && m.give.node != ev.Node:
		return MsgRefuse, m.cfg.Node + " drains to " + m.give.node
	case !m.standsBy() || m.isolated:
		return MsgRefuse, fmt.Sprintf("%s is %v", m.cfg.Node, m.state)
	case m.pending != nothing:
		return MsgRefuse, m.cfg.Node + " is claiming"
	case !m.fit():
		return MsgRefuse, m.cfg.Node + " cannot serve: " + m.notServing
	case !known || m.peers[i].Boot != ev.Boot || !m.peers[i].active() || !m.peers[i].until.After(m.now):
		return MsgRefuse, m.cfg.Node + " does not hear that " + ev.Node + " is active"
	case m.otherActive(ev.Node):
		return MsgRefuse, m.cfg.Node + " hears two actives"
	case !m.lossless:
		return MsgUnable, m.notLossless
	}
	return 0, ""
}

// prepared: the table is there, or cannot be.
func (m *Machine) prepared(ev Prepared) {
	t := &m.take
	if t.heals && t.token == ev.Token && m.state == Active {
		m.healed(ev)
		return
	}
	if t.phase != takePrepares || t.token != ev.Token {
		return
	}
	answer := Message{Kind: MsgReady, Nonce: t.nonce, For: m.promiseWith(t.node)}
	switch {
	case ev.Err != nil:
		answer.Kind, answer.Text = MsgUnable, ev.Err.Error()
	case !m.standsBy() || m.pending != nothing || !m.fit():
		answer.Kind, answer.Text = MsgRefuse, fmt.Sprintf("%s is %v and cannot take over any more", m.cfg.Node, m.state)
	}
	m.tell(t.node, t.boot, answer)
	if answer.Kind != MsgReady {
		m.forgetTable()
		return
	}
	t.phase, t.by = takeReady, m.now.Add(answer.For)
}

// told to take over: the other one is silent about the VIP from now on.
func (m *Machine) told(ev Said) {
	if !m.takes(ev, takeReady) || !m.now.Before(m.take.by) || !m.standsBy() || m.pending != nothing || !m.fit() || m.isolated ||
		m.otherActive(ev.Node) {
		m.tell(ev.Node, ev.Boot, Message{Kind: MsgRefuse, Nonce: ev.Message.Nonce, Text: m.cfg.Node + " was told too late"})
		return
	}
	m.take.phase, m.take.by = takeClaims, time.Time{}
	m.lost = Reason{Why: WhyHandover, Node: ev.Node}
	m.mustProbe = false
	m.beginClaim()
}

// otherActive: somebody beside this node was heard to be active, and not to have ended.
func (m *Machine) otherActive(node string) bool {
	for _, p := range m.peers {
		if p.Node != node && p.active() && p.until.After(m.now) {
			return true
		}
	}
	return false
}

// giver: p is the one whose VIP this node is claiming; what it said before it was silent may still arrive.
func (m *Machine) giver(p *peer) bool {
	return m.take.phase == takeClaims && p.Node == m.take.node && p.Boot == m.take.boot && p.Group.Epoch < m.claim
}

// tookOver: the claim has succeeded. A table that is not of this handover serves on only if its drain goes on.
func (m *Machine) tookOver() {
	switch t := &m.take; t.phase {
	case takeClaims:
		t.phase, t.by = takeForwards, m.now.Add(t.drain+tableBeyondDrain)
		m.voluntary = true
	case takeForwards:
		m.watchDrain()
	default:
		m.forgetTable()
	}
}

// refuseLate takes a promise back that was not called upon, or cannot be kept any more.
func (m *Machine) refuseLate(why string) {
	if m.take.phase == takeReady || m.take.phase == takeClaims {
		m.tell(m.take.node, m.take.boot, Message{Kind: MsgRefuse, Nonce: m.take.nonce, Text: why})
	}
	m.forgetTable()
}

// forgetTable deletes the table, if there is or may be one.
func (m *Machine) forgetTable() {
	if m.take.phase != takeNothing {
		m.do(Forget{})
	}
	m.take = taking{}
}

// drainedThere: nothing is left to forward.
func (m *Machine) drainedThere(ev Said) {
	if m.takes(ev, takeForwards) && m.state == Active {
		m.forgetTable()
	}
}

// watchDrain forgets the table when the one it forwards to does not drain any more: its connections are gone.
func (m *Machine) watchDrain() {
	t := &m.take
	if t.phase != takeForwards || m.state != Active {
		return
	}
	i, known := m.findPeer(t.node)
	switch {
	case !known || m.peers[i].Boot != t.boot || !m.peers[i].mayHold(),
		!m.peers[i].until.Add(drainerSilence).After(m.now), m.due(t.by):
		m.forgetTable()
	}
}

// takeDeadline returns when this part wants a Tick, zero for never.
func (m *Machine) takeDeadline() time.Time {
	t := &m.take
	switch {
	case t.phase == takeReady:
		return t.by
	case t.phase != takeForwards || m.state != Active:
		return time.Time{}
	}
	by := t.by
	if i, known := m.findPeer(t.node); known {
		by = earliest(by, m.peers[i].until.Add(drainerSilence))
	}
	return by
}

func (m *Machine) tickTaking() {
	if m.take.phase == takeReady && m.due(m.take.by) {
		m.refuseLate(m.cfg.Node + " was not told to take over in time")
	}
	m.watchDrain()
}
