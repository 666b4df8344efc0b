package election

import (
	"fmt"
	"net/netip"
	"time"
)

// Machine decides for one VIP group on one node. It is a plain value behind a pointer: one goroutine owns it.
type Machine struct {
	cfg      Config
	state    State
	since    time.Time
	deadline time.Time
}

// New returns a machine in Init whose Deadline is now: the first Tick starts it. The error names every
// fault of cfg at once.
func New(cfg Config, now time.Time) (*Machine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("election of group %q: %w", cfg.Group, err)
	}
	return &Machine{cfg: cfg, since: now, deadline: now}, nil
}

// Step takes in what happened at now and returns what to do. Time alone never passes in Step: when Deadline
// is not after now, the shell calls Tick next.
func (m *Machine) Step(now time.Time, ev Event) []Action { return nil }

// Tick lets time pass: the shell calls it when Deadline has come, AFTER it has handed in what was received
// until now. Too early is harmless.
func (m *Machine) Tick(now time.Time) []Action { return nil }

// Deadline returns when Tick is wanted next; the zero time means never.
func (m *Machine) Deadline() time.Time { return m.deadline }

// Advert returns what this machine says about its group at this moment.
func (m *Machine) Advert() GroupAdvert { return GroupAdvert{Name: m.cfg.Group, State: m.state} }

// Status returns a snapshot as of the last Step or Tick.
func (m *Machine) Status() Status { return Status{State: m.state, Since: m.since} }

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
	Fitness     uint8
	Serving     bool
	NotServing  string    // why not, for people
	Foreign     string    // MAC of the last foreign claimant of the VIP heard of; "" for none
	HoldDown    time.Time // no preemption before; zero for none
	Peers       []Peer    // sorted by name
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
	Heard    time.Time // its last advert
	Silent   bool      // not heard for its active-down interval
}
