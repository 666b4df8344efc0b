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
	Group    GroupAdvert
}

// SeedsTried says that each seed has been tried once, whatever came of it: a cold start need wait no longer
// than the active-down interval from now on.
type SeedsTried struct{}

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
}

// Shutdown asks the machine to end: an active releases, yields, and then becomes Init. The machine has ended
// with Changed{To: Init}. A second Shutdown ends it at once, whatever is still under way.
type Shutdown struct{}

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
