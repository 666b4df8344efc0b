package election

import (
	"net/netip"
	"time"
)

// Status is a snapshot of a Machine.
type Status struct {
	Group, Node string
	State       State
	Since       time.Time // of State
	Reason      Reason    // of the last transition
	Active      string    // name of the node believed active, this one's or a peer's; "" for none
	Epoch       uint64    // highest seen
	Transitions uint64
	Priority    uint8
	Fitness     uint8 // 0 while not serving
	Serving     bool
	NotServing  string // why not, for people
	NotLossless string // why this node's part in a handover would break connections; "" for it would not
	Foreign     string // MAC of the last foreign claimant of the VIP heard of; "" for none
	Fenced      bool   // the VIP is not answered for: a pause is being verified, or this node is isolated
	// PathDegraded is the path by which the active answers though its adverts do not come; 0 when they do.
	PathDegraded Path
	PreemptAt    time.Time // when this active yields to a better peer; zero when none is there
	HeldUntil    time.Time // no voluntary move before, since this active has the VIP by one (E9); zero for none
	Hearing      Hearing   // as last told
	Wire         Wire      // Backup: how the active answers on the VIP's segment (E6)
	Peers        []Peer    // sorted by name, at most MaxPeers
}

// Peer is what is known about another node.
type Peer struct {
	Node     string
	Boot     uint64
	Addr     netip.Addr
	State    State
	Claiming bool
	Priority uint8
	Fitness  uint8
	Epoch    uint64
	Interval time.Duration
	Heard    time.Time     // its last advert, or answer
	Patience time.Duration // how long its silence is borne (E13)
	Path     Path          // by which it answers though its adverts do not come; 0 when they do
	Silent   bool          // not heard for its active-down interval
	Hearing  Hearing
	Wire     Wire // how the active answers it on the VIP's segment; of one that yielded: WireSilent says why
	Useless  bool // it yielded since it was out of its clients' reach, and does not say that this is over (E6)
}

// Status returns a snapshot as of the last Step or Tick.
func (m *Machine) Status() Status {
	s := Status{
		Group: m.cfg.Group, Node: m.cfg.Node,
		State: m.state, Since: m.since, Reason: m.reason,
		Epoch: m.epoch, Transitions: m.transitions,
		Priority: m.cfg.Priority, Fitness: m.effectiveFitness(), Serving: m.serving, NotServing: m.notServing,
		NotLossless: m.lossyBecause(), Foreign: m.foreign, PreemptAt: m.preemptAt(), HeldUntil: m.heldUntil(), Hearing: m.hearing,
		Fenced: m.Fenced(),
	}
	if m.state == Active {
		s.Active = m.cfg.Node
	} else if p := m.activePeer(); p != nil {
		s.Active, s.PathDegraded = p.Node, p.path
	}
	if m.state == Backup {
		s.Wire = m.wire()
	}
	for _, p := range m.peers {
		s.Peers = append(s.Peers, Peer{
			Node: p.Node, Boot: p.Boot, Addr: p.Addr, State: p.Group.State, Claiming: p.Group.Claiming,
			Priority: p.Group.Priority, Fitness: p.Group.Fitness, Epoch: p.Group.Epoch,
			Interval: p.Interval, Heard: p.at, Patience: p.patience, Path: p.path, Silent: !p.until.After(m.now),
			Hearing: p.Group.Hearing, Wire: p.Group.Wire, Useless: p.useless,
		})
	}
	return s
}

// State returns Status().State, and makes no garbage.
func (m *Machine) State() State { return m.state }

// Fenced returns Status().Fenced, and makes no garbage.
func (m *Machine) Fenced() bool {
	return m.fenced && m.pending != claiming && (m.state == Active || m.state == Draining || m.held || m.kept)
}

// Advert returns what this machine says about its group at this moment.
func (m *Machine) Advert() GroupAdvert {
	g := GroupAdvert{
		Name: m.cfg.Group, State: m.state, Priority: m.cfg.Priority, Fitness: m.effectiveFitness(), Epoch: m.epoch,
		Hearing: m.hearing,
	}
	switch m.state {
	case Backup:
		if m.isolated {
			g.Priority = 0
		}
		g.Claiming = m.pending != nothing
		if g.Claiming {
			g.Epoch = m.claim
		}
		g.Wire = m.wire()
	case Draining:
		g.Epoch, g.Standby = m.claim, m.standby()
		g.Claiming = g.Standby && m.pending != nothing
		switch {
		case m.isolated && m.standsBy():
			g.Priority = 0
		case g.Standby && !g.Claiming:
			g.Epoch = m.epoch
		}
	case Active:
		g.Epoch = m.claim
	case Init, Fault:
		g.Priority = 0
	}
	if m.yielding {
		g.Priority = 0
		if m.reason.Why == WhyNotUseful {
			g.Wire = WireSilent // of itself: let whoever hears more on the segment take over
		}
	}
	return g
}
