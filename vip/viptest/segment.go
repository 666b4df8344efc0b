package viptest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// maxSent bounds the frames a Segment remembers; the oldest go first.
const maxSent = 4096

// locktime is how long Linux refuses to replace a neighbour entry that was just
// updated, unless by a gratuitous request (net.ipv4.neigh.*.locktime, 1 s).
const locktime = time.Second

// resolveTime is how long a station waits for the answer to its question.
const resolveTime = 100 * time.Millisecond

// Segment is a simulated Ethernet segment. It is safe for concurrent use; it
// starts no goroutine, and tells time by package time, so that synctest fakes it.
type Segment struct {
	mu       sync.Mutex // protects everything of the segment, its stations, links and wires
	stations []*Station
	sent     []Sent
}

// Sent is a frame that a wire put on the segment.
type Sent struct {
	vip.Frame
	By *Station
}

var _ Net = (*Segment)(nil)

// NewSegment returns a segment without stations.
func NewSegment() *Segment { return &Segment{} }

// Sent returns the frames that wires have sent, oldest first, at most 4096.
func (s *Segment) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Station plugs in one more station: 10.77.0.n/24 and fd77::n/64, MAC 02:…:n.
func (s *Segment) Station() *Station {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := byte(len(s.stations) + 1)
	st := &Station{
		seg: s,
		ifi: vip.Interface{
			Name:  "fake0",
			Index: int(n),
			MAC:   net.HardwareAddr{2, 'f', 'a', 'k', 'e', n},
			Addr:  netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, n}), 24),
		},
		carrier: true,
		addrs:   make(map[netip.Prefix]time.Time),
		cache:   make(map[netip.Addr]neighbour),
	}
	st.addrs[st.ifi.Addr] = time.Time{}
	six := netip.MustParsePrefix(fmt.Sprintf("fd77::%d/64", n))
	st.addrs[six], st.own6 = time.Time{}, six.Addr()
	s.stations = append(s.stations, st)
	return st
}

// Host implements Net.
func (s *Segment) Host() Host { return s.Station() }

// Station is one machine on a Segment.
type Station struct {
	seg     *Segment
	ifi     vip.Interface
	carrier bool
	addrs   map[netip.Prefix]time.Time // until when; zero: for good
	cache   map[netip.Addr]neighbour
	links   []*Link
	wires   []*Wire
	refuse  map[netip.Addr]error // what Add returns for these
	silent  bool                 // see Unnoticed
	own6    netip.Addr
	mutes   map[string]*muteTable // by group

	refuseMute4, refuseMute6 error
}

type neighbour struct {
	mac     net.HardwareAddr
	updated time.Time
}

var _ Host = (*Station)(nil)

// Interface implements Host.
func (s *Station) Interface() vip.Interface { return s.ifi }

// OpenLink implements Host.
func (s *Station) OpenLink() (vip.Link, error) { return s.Link(), nil }

// OpenWire implements Host.
func (s *Station) OpenWire() (vip.Wire, error) { return s.Wire(), nil }

// Addrs implements Host.
func (s *Station) Addrs() ([]netip.Prefix, error) {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	var have []netip.Prefix
	for p := range s.addrs {
		if s.has(p.Addr()) {
			have = append(have, p)
		}
	}
	return have, nil
}

// AddAddr implements Host.
func (s *Station) AddAddr(p netip.Prefix) error {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	s.addrs[p] = time.Time{}
	return nil
}

// DelAddr implements Host.
func (s *Station) DelAddr(p netip.Prefix) error {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	s.del(p)
	return nil
}

// SetCarrier implements Host.
func (s *Station) SetCarrier(up bool) error {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	s.carrier = up
	change := vip.CarrierLost
	if up {
		change = vip.CarrierFound
	}
	s.notify(change)
	return nil
}

// Resolve implements Host.
func (s *Station) Resolve(addr netip.Addr) (net.HardwareAddr, error) {
	ask := func(send bool) net.HardwareAddr {
		s.seg.mu.Lock()
		defer s.seg.mu.Unlock()
		n, known := s.cache[addr]
		if !known && send {
			s.cache[addr] = neighbour{} // incomplete
			s.question(addr)
			n = s.cache[addr]
		}
		return n.mac
	}
	mac := ask(true)
	for end := time.Now().Add(resolveTime); mac == nil && time.Now().Before(end); mac = ask(false) {
		time.Sleep(time.Millisecond)
	}
	if mac == nil {
		return nil, s.Forget(addr)
	}
	return mac, nil
}

// Forget implements Host.
func (s *Station) Forget(addr netip.Addr) error {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	delete(s.cache, addr)
	return nil
}

// Refuse makes every later Add of addr fail with err; nil undoes it.
func (s *Station) Refuse(addr netip.Addr, err error) {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	if s.refuse == nil {
		s.refuse = make(map[netip.Addr]error)
	}
	s.refuse[addr] = err
}

// Unnoticed lets f change the station without a word to its links. If told, they
// hear afterwards that they have missed something.
func (s *Station) Unnoticed(told bool, f func()) {
	set := func(silent bool) {
		s.seg.mu.Lock()
		defer s.seg.mu.Unlock()
		s.silent = silent
		if !silent && told {
			s.notify(vip.EventsMissed)
		}
	}
	set(true)
	f()
	set(false)
}

// The following need seg.mu.

// has reports whether the station has addr now.
func (s *Station) has(addr netip.Addr) bool {
	for p, until := range s.addrs {
		if p.Addr() == addr && (until.IsZero() || time.Now().Before(until)) {
			return true
		}
	}
	return false
}

// del removes p, if it is there, and tells the links.
func (s *Station) del(p netip.Prefix) {
	if _, ok := s.addrs[p]; ok {
		delete(s.addrs, p)
		s.notify(vip.AddrGone)
	}
}

func (s *Station) notify(change vip.LinkChange) {
	if s.silent {
		return
	}
	for _, l := range s.links {
		l.notify(change)
	}
}

// question asks the segment for addr in the station's own name.
func (s *Station) question(addr netip.Addr) {
	f := vip.Frame{Kind: vip.ARPRequest, Target: addr, Owner: s.ifi.Addr.Addr()}
	if addr.Is6() {
		f.Kind, f.Owner = vip.Solicitation, s.own6
	}
	s.broadcast(f)
}

// broadcast brings a frame of this station to all others.
func (s *Station) broadcast(f vip.Frame) {
	s.send(f, func(*Station) bool { return true })
}

// reply brings a frame of this station to the one that has the MAC.
func (s *Station) reply(to net.HardwareAddr, f vip.Frame) {
	f.Direct = true
	s.send(f, func(other *Station) bool { return slices.Equal(other.ifi.MAC, to) })
}

func (s *Station) send(f vip.Frame, to func(*Station) bool) {
	f.At, f.Source, f.MAC = time.Now(), s.ifi.MAC, s.ifi.MAC
	s.seg.sent = append(s.seg.sent, Sent{f, s})
	if len(s.seg.sent) > maxSent {
		s.seg.sent = slices.Clone(s.seg.sent[1:])
	}
	for _, other := range s.seg.stations {
		if other != s && s.carrier && other.carrier && to(other) {
			other.receive(s, f)
		}
	}
}

// receive is what a station's kernel and its wires do with a frame.
func (s *Station) receive(from *Station, f vip.Frame) {
	for _, w := range s.wires {
		w.receive(f)
	}
	s.learn(f)
	// A kernel that has the address and is not muted answers a question, and in IPv4
	// even another station's announcement of it.
	if !f.Target.IsValid() || !s.has(f.Target) || s.muted(f.Target) {
		return
	}
	answer := vip.Frame{Kind: vip.ARPReply, At: f.At, Source: s.ifi.MAC, Owner: f.Target, MAC: s.ifi.MAC, Direct: true}
	if f.Kind == vip.Solicitation {
		answer.Kind = vip.Advertisement
	}
	for _, w := range from.wires {
		w.receive(answer)
	}
	from.learn(answer)
}

// learn is what a kernel's neighbour cache takes from a frame.
func (s *Station) learn(f vip.Frame) {
	if !f.Owner.IsValid() {
		return
	}
	n, known := s.cache[f.Owner]
	announced := f.Target == f.Owner || f.Kind == vip.Advertisement
	if known && (announced || f.At.Sub(n.updated) > locktime) {
		s.cache[f.Owner] = neighbour{f.MAC, f.At}
	}
}
