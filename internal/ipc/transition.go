package ipc

import "time"

// Transition tells control that a group of this node changed its state, why, and what the
// keeper knew. Each is sent once to a control process, in order, and a new control process
// is sent the latest again: Boot and ID tell which it has.
type Transition struct {
	Boot   uint64    `json:"boot"` // of the keeper
	ID     uint64    `json:"id"`   // counts its transitions from 1
	At     time.Time `json:"at"`
	Group  string    `json:"group"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"` // a stable word
	Peer   string    `json:"peer,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Epoch  uint64    `json:"epoch"`

	Evidence Evidence `json:"evidence"`
	Phases   *Phases  `json:"phases,omitempty"` // of a claim
}

// Evidence is what the keeper knew at a [Transition].
type Evidence struct {
	Silence     time.Duration  `json:"silence,omitempty"` // since the peer was last heard
	Missed      int            `json:"missed,omitempty"`  // adverts due in that time
	Rounds      int            `json:"rounds,omitempty"`  // of queries in that silence
	Answers     map[string]int `json:"answers,omitempty"` // to queries since they began, by path
	Proof       bool           `json:"proof,omitempty"`   // the own receive path was proven meanwhile
	Bare        bool           `json:"bare,omitempty"`    // nobody but balancers was heard on the segment of late
	Signals     []string       `json:"signals,omitempty"` // at most 8
	Fitness     int            `json:"fitness"`
	PeerFitness int            `json:"peer_fitness"` // -1: no peer
	PeerState   string         `json:"peer_state,omitempty"`
}

// Phases is how long each step of a claim took, by this node's monotonic clock.
type Phases struct {
	Detect   time.Duration `json:"detect,omitempty"`   // last heard → first query
	Decide   time.Duration `json:"decide,omitempty"`   // first query → claim begun
	Claim    time.Duration `json:"claim,omitempty"`    // claim begun → done
	Announce time.Duration `json:"announce,omitempty"` // → the first announcement has been sent
}

// Served tells control when the first request was served after a claim of this node.
type Served struct {
	At    time.Time     `json:"at"`
	Group string        `json:"group"`
	Epoch uint64        `json:"epoch"` // of the claim
	After time.Duration `json:"after"` // the claim was done
}

func (*Served) kind() Kind     { return kindServed }
func (*Transition) kind() Kind { return kindTransition }
