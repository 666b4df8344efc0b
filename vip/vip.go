package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Errors for callers that branch on them.
var (
	// ErrNotClaimed: the operation needs claimed addresses, and they are not.
	ErrNotClaimed = errors.New("the addresses are not claimed")
	// ErrNotOurs: the address is on the interface, but was put there by something else.
	ErrNotOurs = errors.New("the address belongs to something else on this node")
	// ErrNoCarrier: the interface is down or its cable is cut, so nothing can be announced.
	ErrNoCarrier = errors.New("no carrier")
	// ErrNoInterface: the interface does not exist, or no longer.
	ErrNoInterface = errors.New("no such interface")
	// ErrClosed: the Link, Wire or Muter was closed.
	ErrClosed = errors.New("use of a closed link or wire")
	// ErrGateShut: the gate (Config.Gate) does not let this node speak for the addresses now.
	ErrGateShut = errors.New("the gate is shut")
	// ErrLeaseOnly: the kernel itself answers for the addresses, so this cannot be done.
	ErrLeaseOnly = errors.New("the kernel answers for the addresses here (lease only)")
	// ErrMover: Config.Mover has the addresses routed here, so only Release makes this node silent.
	ErrMover = errors.New("a program has the addresses routed here")
)

// Interface is where VIPs are held: one Ethernet interface of this node. [Find] fills it.
type Interface struct {
	Name  string
	Index int
	MAC   net.HardwareAddr // six bytes
	Addr  netip.Prefix     // this node's own address on it, with the subnet's length
	// Own lists all of this node's own addresses on it, Addr included, when Find looked.
	Own []netip.Prefix
}

// String returns the name and the node's own address.
func (i Interface) String() string {
	return fmt.Sprintf("%s (%s)", i.Name, i.Addr)
}

// Address is one address of an interface, as the kernel reports it.
type Address struct {
	Prefix netip.Prefix
	Lease  time.Duration // what is left of it, in whole seconds; zero: permanent
}

// LinkState is what the kernel says about an interface now.
type LinkState struct {
	Carrier bool // up, and the other end is there
	Addrs   []Address
}

// LinkChange says what a LinkEvent is about.
type LinkChange int

// The changes a Link reports.
const (
	AddrGone LinkChange = iota + 1 // an address went; our own deletions echo, too
	CarrierLost
	CarrierFound
	EventsMissed // the kernel's queue overflowed: anything may have happened
)

// LinkEvent is a hint that the interface changed. It may be late: [Link.State] tells the truth.
type LinkEvent struct {
	Change LinkChange
}

// Link is what a Claimer needs of the kernel's addresses on one interface. All
// methods are safe for concurrent use and take at most about a second.
type Link interface {
	// State reads the carrier and all addresses. After the interface has gone
	// it returns [ErrNoInterface].
	State(ctx context.Context) (LinkState, error)
	// Add makes the address be there for lease from now on (whole seconds, at
	// least one): it adds, or extends what is there. Twice is no error. The node
	// never chooses the address as a source address of its own accord.
	Add(ctx context.Context, addr netip.Prefix, lease time.Duration) error
	// Del makes the address not be there. Twice is no error.
	Del(ctx context.Context, addr netip.Prefix) error
	// Watch reports changes since the Link was opened until ctx ends or the Link
	// is closed; then it closes the channel. The receiver may be slow: what
	// overflows becomes one EventsMissed. At most one Watch per Link.
	Watch(ctx context.Context) (<-chan LinkEvent, error)
	// Close closes the sockets. Addresses stay.
	Close() error
}

// Wire is what a Claimer needs of the neighbours: ARP for IPv4, NDP for IPv6.
// All methods are safe for concurrent use.
type Wire interface {
	// Run reads frames until ctx ends (nil) or the Wire is closed ([ErrClosed]).
	// At most one Run per Wire.
	Run(ctx context.Context) error
	// Probe asks the segment who has addr, without claiming it. It returns the
	// hardware address of the first other station that answers, or nil when none
	// did within ProbeTime. It waits until Run runs, since Run reads the answers, and
	// returns [ErrClosed] when Run has ended.
	Probe(ctx context.Context, addr netip.Addr) (owner net.HardwareAddr, err error)
	// Announce tells the segment once that addr is at this interface.
	Announce(ctx context.Context, addr netip.Addr) error
	// Answer tells who sent the question, an ARP request or a neighbour solicitation,
	// that its target is at this interface.
	Answer(ctx context.Context, question Frame) error
	// Ask asks the host that has addr for its hardware address, in this node's own
	// name, and does not wait: the answer is heard.
	Ask(ctx context.Context, addr netip.Addr) error
	// Heard delivers what other stations sent while Run runs. The queue holds
	// HeardQueue frames; when it is full, frames are dropped and counted in
	// Missed of the next one delivered.
	Heard() <-chan Frame
	// Close closes the sockets.
	Close() error
}

// HeardQueue is the number of frames a Wire keeps for a slow reader.
const HeardQueue = 256

// ProbeTime is how long one Probe listens when nobody answers.
const ProbeTime = probeNum * probeInterval

// FrameKind says what a frame is.
type FrameKind int

// The frames a Wire hears.
const (
	ARPRequest    FrameKind = iota + 1
	ARPReply                // also an announcement in reply form
	Solicitation            // NDP, RFC 4861, 4.3
	Advertisement           // NDP, RFC 4861, 4.4
)

// Frame is one ARP or NDP frame from another station, reduced to what it asserts.
type Frame struct {
	At     time.Time // when the kernel received it
	Kind   FrameKind
	Source net.HardwareAddr // of the Ethernet header
	Owner  netip.Addr       // the address which the frame says is at MAC; invalid when it says nothing (a probe)
	MAC    net.HardwareAddr // the hardware address claimed for Owner
	Target netip.Addr       // the address asked for, in requests and solicitations
	Direct bool             // it was for this interface alone
	Other  bool             // it was not for this interface: for another station alone, or another VLAN
	Missed uint64           // frames dropped just before this one
}
