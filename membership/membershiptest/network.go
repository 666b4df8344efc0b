// Package membershiptest is a network in memory for clusters of package membership: whole clusters run on it in fake
// time (testing/synctest), and it can be cut, crashed and made to lose packets.
//
//	net := membershiptest.New(seed)
//	c, err := membership.Open(membership.Config{Name: "lb1", Transport: net.Listen("10.0.0.11"), …})
//	net.Partition([]string{"10.0.0.11"}, []string{"10.0.0.12", "10.0.0.13"})
//	net.Heal()
//
// Packets wait in a buffered inbox per host and are dropped when it is full, as a kernel does; so a host that has
// died never stalls those that send to it. Streams are pipes. Nothing here starts a goroutine.
//
// Beside gossip there is one more thing on a Network: who answers a datagram that a member carries for another one
// ([Network.Answer], and [Transport.Exchange] for Config.Exchange).
package membershiptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Port is where every host on a Network gossips.
const Port = 7946

// Sizes of a host's inboxes.
const (
	packetInbox = 1024
	streamInbox = 64
)

// Network connects hosts. Its methods are safe for concurrent use.
type Network struct {
	mu     sync.Mutex // protects the following
	hosts  map[netip.Addr]*Transport
	ports  map[netip.AddrPort]AnswerFunc
	vips   map[netip.Addr]netip.Addr // where it leads to
	cut    map[[2]netip.Addr]bool    // from, to
	opened map[netip.Addr]int        // streams, so far
	loss   float64
	rand   *rand.Rand
}

// New returns a network without hosts. Its losses are drawn from seed.
func New(seed uint64) *Network {
	return &Network{
		hosts: map[netip.Addr]*Transport{}, vips: map[netip.Addr]netip.Addr{}, ports: map[netip.AddrPort]AnswerFunc{}, cut: map[[2]netip.Addr]bool{}, opened: map[netip.Addr]int{},
		rand: rand.New(rand.NewPCG(seed, seed)),
	}
}

// Listen brings up a host at addr and returns its transport, for Config.Transport. A host that was there before is
// gone then: it neither sends nor receives any more.
func (n *Network) Listen(addr string) *Transport {
	t := &Transport{
		net: n, addr: netip.MustParseAddr(addr),
		packets: make(chan *memberlist.Packet, packetInbox), streams: make(chan net.Conn, streamInbox),
		done: make(chan struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[t.addr] = t
	return t
}

// MoveVIP makes what is sent to vip reach the host at addr, in place of any other; that one sends from its own address
// still.
func (n *Network) MoveVIP(vip, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.vips[netip.MustParseAddr(vip)] = netip.MustParseAddr(addr)
}

// AnswerFunc returns the answer to a datagram from the host from, or nil for none.
type AnswerFunc func(from netip.Addr, datagram []byte) []byte

// Answer makes answer what listens at addr, an address and port. Its host must be up to be reached.
func (n *Network) Answer(addr string, answer AnswerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[netip.MustParseAddrPort(addr)] = answer
}

// Crash takes power from the host at addr: what is sent to it vanishes, and it sends nothing.
func (n *Network) Crash(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hosts, netip.MustParseAddr(addr))
}

// CutOneWay makes everything vanish that from sends to to. (A stream needs both ways.)
func (n *Network) CutOneWay(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]netip.Addr{netip.MustParseAddr(from), netip.MustParseAddr(to)}] = true
}

// Partition cuts the sides off each other, both ways. Addresses need not be in use yet.
func (n *Network) Partition(sides ...[]string) {
	for i, side := range sides {
		for j, other := range sides {
			if i == j {
				continue
			}
			for _, from := range side {
				for _, to := range other {
					n.CutOneWay(from, to)
				}
			}
		}
	}
}

// Heal undoes every cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// Lose drops that share of all packets, 0 to 1. Streams are not touched: TCP would repeat.
func (n *Network) Lose(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// Streams returns how many streams the host at addr has taken so far.
func (n *Network) Streams(addr string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.opened[netip.MustParseAddr(addr)]
}

// route returns the host that what from sends to to reaches, or nil where it vanishes.
func (n *Network) route(from *Transport, to string, packet bool) (*Transport, error) {
	dest, err := netip.ParseAddrPort(to)
	if err != nil || dest.Port() != Port {
		return nil, fmt.Errorf("membershiptest: no such address: %q", to)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	host := dest.Addr()
	if holder, ok := n.vips[host]; ok {
		host = holder
	}
	if n.lost(from, host, packet) || !packet && n.cut[[2]netip.Addr{host, from.addr}] {
		return nil, nil
	}
	return n.hosts[host], nil
}

// lost reports whether what from sends to to vanishes on the way. n.mu must be held.
func (n *Network) lost(from *Transport, to netip.Addr, packet bool) bool {
	return n.hosts[from.addr] != from || n.cut[[2]netip.Addr{from.addr, to}] || packet && n.rand.Float64() < n.loss
}

// listener returns what listens at to if a datagram from from gets there.
func (n *Network) listener(from *Transport, to netip.AddrPort) AnswerFunc {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost(from, to.Addr(), true) || n.hosts[to.Addr()] == nil {
		return nil
	}
	return n.ports[to]
}

// returns reports whether the answer from from gets to t.
func (n *Network) returns(from netip.Addr, t *Transport) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	sender := n.hosts[from]
	return sender != nil && !n.lost(sender, t.addr, true) && n.hosts[t.addr] == t
}

// Transport is one host's place on a Network.
type Transport struct {
	net     *Network
	addr    netip.Addr
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{} // closed by Shutdown

	mu   sync.Mutex // protects down
	down bool       // after Shutdown: the host is up, but nobody listens
}

var _ memberlist.NodeAwareTransport = (*Transport)(nil)

// FinalAdvertiseAddr returns the host's address.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.AsSlice(), Port, nil
}

// WriteTo sends a packet, or loses it.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress sends a packet, or loses it.
func (t *Transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	now := time.Now()
	to, err := t.net.route(t, a.Addr, true)
	if to == nil || err != nil {
		return now, err
	}
	from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(t.addr, Port))
	to.mu.Lock()
	defer to.mu.Unlock()
	if !to.down {
		select {
		case to.packets <- &memberlist.Packet{Buf: append([]byte(nil), b...), From: from, Timestamp: now}:
		default:
		}
	}
	return now, nil
}

// Exchange sends datagram to to and returns the answer, or waits until ctx ends if there is none.
func (t *Transport) Exchange(ctx context.Context, to netip.AddrPort, datagram []byte) ([]byte, error) {
	if answer := t.net.listener(t, to); answer != nil {
		if b := answer(t.addr, datagram); b != nil && t.net.returns(to.Addr(), t) {
			return b, nil
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// PacketCh is where packets arrive.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout opens a stream. It is refused where nobody listens, and times out where nobody is, unless
// Shutdown comes first.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream. It is refused where nobody listens, and times out where nobody is, unless
// Shutdown comes first.
func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(timeout)
	for wait := time.Second; ; wait *= 2 { // SYNs are repeated after 1, 2, 4 s …
		to, err := t.net.route(t, a.Addr, false)
		if to != nil {
			t.net.mu.Lock()
			t.net.opened[to.addr]++
			t.net.mu.Unlock()
			return to.accept()
		}
		if err == nil && time.Until(deadline) <= 0 {
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
		timer := time.NewTimer(min(wait, time.Until(deadline)))
		select {
		case <-timer.C:
		case <-t.done:
			timer.Stop()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: net.ErrClosed}
		}
	}
}

// accept opens a stream to this host.
func (t *Transport) accept() (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.down {
		here, there := net.Pipe()
		select {
		case t.streams <- there:
			return here, nil
		default:
		}
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

// StreamCh is where streams arrive.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown stops listening. Streams that nobody has taken are closed.
func (t *Transport) Shutdown() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.down {
		t.down = true
		close(t.done)
	}
	for {
		select {
		case conn := <-t.streams:
			conn.Close()
		default:
			return nil
		}
	}
}
