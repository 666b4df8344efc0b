package election

import (
	"net/netip"
	"time"
)

// Event is something that happened: one of the structs of this file. Probed, Claimed and Released answer
// an Action and return its Token; an answer to a request that has been given up is recognised by it and ignored.
type Event interface{ event() }

// Heard is one group of one advert that Open and Filter.Accept let through. Advert.Heard makes it.
// Adverts of this very machine (its own node and boot) are ignored, so a multicast loop does no harm.
type Heard struct {
	Node     string
	Boot     uint64
	Addr     netip.Addr
	Interval time.Duration // the sender's advert interval
	Late     time.Duration // how late beyond its interval the sender has been of late
	Seq      uint64        // of the advert: what a slow path delivers late does not undo what is newer; 0: not known
	Group    GroupAdvert
}

// Answered is one group of an advert that echoes a nonce: an answer to a Query (E4). Advert.Answered makes it.
// It is honoured only for a nonce that is outstanding, so it needs no Filter.
type Answered struct {
	Heard
	Nonce uint64
	Path  Path // the one by which it came
}

// Received says that this node's receive path on the VIP's segment works: a frame has arrived from a MAC
// that is not the active's (E5). The shell says so for the first such frame after a Solicit, and may say it
// at any time. At is when it was received, by the clock of Step.
type Received struct{ At time.Time }

// Stations says whether a third station (neither this node nor the active) was heard on the VIP's segment in
// the last 60 s (E5). Before the first such event none was: this is a bare pair, or a shell that does not know.
type Stations struct{ Third bool }

// Isolated says whether this node hears nothing at all on the VIP's segment, though it asked and though it
// once heard somebody other than balancers there (E12). A pair that never had another station is not isolated.
type Isolated struct{ Yes bool }

// Gone says that a node's keeper has very likely ended: the state channel to that boot broke and the reconnect
// was refused (E7). It never moves the VIP by itself: it only shortens the wait for answers to one query round.
type Gone struct {
	Node string
	Boot uint64
}

// Paused says that the whole process stood still for so long (a stop, a VM's pause, throttling), by a clock
// that runs on meanwhile: CLOCK_BOOTTIME (E14). The shell compares that clock before it handles anything else
// after each wake-up, and says it when For exceeds PauseAfter: before that no peer can have claimed.
type Paused struct{ For time.Duration }

// SeedsTried says that each seed has been tried once, whatever came of it: a cold start need wait no longer
// than the active-down interval from now on. But who stands in Known (the other balancers that members take to be
// present) and was not heard yet is waited for, until SettleTimeout: its adverts may not reach this node, and its
// answers may take a moment by members.
type SeedsTried struct{ Known []string }

// Probed answers Probe. Owner is the MAC of the host that answered for the VIP, "" when none did;
// answers from known balancers do not count as owners. Err means that the wire could not be asked.
type Probed struct {
	Token uint64
	Owner string
	Err   error
}

// Claimed answers Claim. After an error nothing of the claim is left behind.
type Claimed struct {
	Token uint64
	Err   error
}

// Released answers Release. An error means that the VIP may still be on this node.
type Released struct {
	Token uint64
	Err   error
}

// Conflict says that a host that is no balancer claims the VIP (RFC 5227, 2.4).
type Conflict struct{ MAC string }

// PeerGone says that the membership has lost a node. It never moves the VIP: it only clears a peer that
// has fallen silent from Status.
type PeerGone struct{ Node string }

// Fitness is how well this node could serve: 0 not at all, 255 fully (the value before the first event).
type Fitness struct{ Value uint8 }

// Serving says whether this node's proxy serves. A new machine takes it for granted, so a shell whose proxy
// is not up yet says Serving{OK: false} before the first Tick. Reason is for people.
type Serving struct {
	OK     bool
	Reason string
	Alive  bool // not OK, but what serves only stands still: its connections may go on
}

// Shutdown asks the machine to end: an active releases, yields, and then becomes Init. The machine has ended
// with Changed{To: Init}. A second Shutdown ends it at once, whatever is still under way.
type Shutdown struct{}

// Configured changes what may change while a machine lives; all three are given, within the
// bounds of Config, and what is not is left as it was. A drain under way keeps its deadline.
type Configured struct {
	Priority      uint8
	Preempt       bool
	DrainDeadline time.Duration
}

func (Configured) event() {}
func (Heard) event()      {}
func (SeedsTried) event() {}
func (Probed) event()     {}
func (Claimed) event()    {}
func (Released) event()   {}
func (Conflict) event()   {}
func (PeerGone) event()   {}
func (Fitness) event()    {}
func (Serving) event()    {}
func (Shutdown) event()   {}
func (Received) event()   {}
func (Stations) event()   {}
func (Isolated) event()   {}
func (Gone) event()       {}
func (Paused) event()     {}
