package election

import "net/netip"

// Action is something the shell must do: one of the structs of this file.
//
// The shell starts the actions of one Step or Tick in the order given, BEFORE it hands in the next event of
// this group. Send, Announce, Query, Solicit, Fence, Unfence, Tell and Changed are quick and done on the spot. Probe,
// Claim, Release and Drain are slow: they run beside the loop, one after another in the order given (a Release waits
// for a Claim still running), and each but Drain is answered, always and once, by Probed, Claimed or Released with its
// Token. The machine never waits longer than Config.AnswerTimeout for an answer, and works without it.
//
// Claim comes after the Send that tells the peers of it. Announce comes only while the VIP is held and not
// fenced. A Fence comes before the Release it goes with, an Unfence before the Announce. The Send that asks the
// peers to claim comes as the answer to Released: the VIP is gone BEFORE they hear of it. Changed comes last, so
// that no log or hook delays what matters.
type Action interface{ action() }

// Send: advertise now. The shell composes one datagram of all groups' Advert() and sends it to each known
// balancer; several Sends at one moment are one datagram.
type Send struct{}

// Probe asks the wire whether anybody has the VIP (RFC 5227, 2.1.1). Answer with Probed.
type Probe struct{ Token uint64 }

// Claim puts the VIP on this node, without announcing it. Claiming what is held already is no error.
// Answer with Claimed.
type Claim struct {
	Token uint64
	Epoch uint64 // of this claim: goes with every announcement
}

// Announce tells the segment that the VIP is here (gratuitous ARP, unsolicited NA), and starts the
// schedule of repetitions afresh. It ends with Release.
type Announce struct{}

// Release takes the VIP off this node: first no more answers for it, then the address. Releasing what is
// not held is no error. Answer with Released.
type Release struct{ Token uint64 }

// Query asks for an authentic answer (E4): a Question with this Nonce, sent by each path of Via at once. It is
// quick: the shell sends on the spot and does not wait. Whoever gets a Question answers at once, by the path
// by which it came, with an advert whose Echo is the nonce; Answered brings the answer here.
type Query struct {
	Round int        // counts the rounds of one silence from 1; 0: no silence, but an answer's time is measured (E7), or its way (E6)
	Nonce uint64     // never used twice, not even by another boot
	Node  string     // who is asked; "" for all known balancers
	Addr  netip.Addr // its own address; not valid when all are asked
	Via   Path

	Complaint Complaint // goes with the Question (E6); the zero value is none
}

// Solicit asks (ARP, NS) the gateway and three stations heard of late on the VIP's segment, so that a frame
// comes back from somebody other than the active (E5): Received tells. It is quick, like Query, and comes
// again each interval until a proof has come: what was heard since the first of them counts. Whoever answers
// goes into Hearing as well (E6).
type Solicit struct {
	Silent string // the node whose frames prove nothing, since it is the one in question; "" for none
}

// Fence stops all that this node writes about the VIP on its segment: no ARP or NDP answers, no announcements,
// from this moment on until Unfence. The address stays. It is done on the spot, before anything else happens.
type Fence struct{}

// Unfence ends a Fence.
type Unfence struct{}

// Changed reports a transition, for log, timeline, metrics and hooks. Changed{To: Init} is the last action
// of a machine.
type Changed struct {
	From, To State
	Reason   Reason
	Epoch    uint64 // highest epoch seen so far
}

func (Send) action()     {}
func (Probe) action()    {}
func (Claim) action()    {}
func (Announce) action() {}
func (Release) action()  {}
func (Query) action()    {}
func (Solicit) action()  {}
func (Fence) action()    {}
func (Unfence) action()  {}
func (Changed) action()  {}
