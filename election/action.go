package election

// Action is something the shell must do: one of the structs of this file.
//
// The shell starts the actions of one Step or Tick in the order given, BEFORE it hands in the next event of
// this group. Send, Announce and Changed are quick and done on the spot. Probe, Claim and Release are slow:
// they run beside the loop, one after another in the order given (a Release waits for a Claim still running),
// and each is answered, always and once, by Probed, Claimed or Released with its Token. The machine never
// waits longer than Config.AnswerTimeout for an answer, and works without it.
//
// Claim comes after the Send that tells the peers of it. Announce comes only while the VIP is held. The Send
// that asks the peers to claim comes as the answer to Released: the VIP is gone BEFORE they hear of it.
// Changed comes last, so that no log or hook delays what matters.
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
func (Changed) action()  {}
