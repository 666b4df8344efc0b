package keeper

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// Peers find each other without lists: once a second each keeper sends a datagram to a
// multicast group on the VIP's segment too (E1): with keys a call for an exchange, since no
// session can cover a group (E2), without keys its advert. Whoever has agreed on a session
// with an address it did not know, or hears an advert from there, begins to send its own.
const (
	helloInterval = time.Second
	// learnedFor is how long an address that was learnt from adverts, and that is no seed and
	// no member, is kept after its last one.
	learnedFor = time.Minute
)

// helloGroup is of the range that RFC 2365 gives to a site for its own use; TTL 1 keeps it
// on the segment. VRRP's own group, 224.0.0.18, is not ours to use.
var helloGroup = netip.AddrFrom4([4]byte{239, 255, 79, 47})

// joinHello makes the socket hear the group on an interface, and send to it there.
func (s *advertSocket) joinHello(ifname string) error {
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return fmt.Errorf("adverts: %w", err)
	}
	p := ipv4.NewPacketConn(s.conn)
	if err := p.JoinGroup(ifi, net.UDPAddrFromAddrPort(netip.AddrPortFrom(helloGroup, 0))); err != nil {
		return fmt.Errorf("adverts: join %s on %s: %w", helloGroup, ifname, err)
	}
	if err := p.SetMulticastInterface(ifi); err != nil {
		return fmt.Errorf("adverts: %w", err)
	}
	// What this node says is no news to it. Of a socket of both families Linux asks IPv6's option
	// even for IPv4; where there is no IPv6, there is no such option.
	_ = ipv6.NewPacketConn(s.conn).SetMulticastLoopback(false)
	if err := p.SetMulticastLoopback(false); err != nil {
		return fmt.Errorf("adverts: %w", err)
	}
	return p.SetMulticastTTL(1)
}

// hello makes the sender say something to the group once a second, until ctx ends.
func (l *loop) hello(ctx context.Context) error {
	group := netip.AddrPortFrom(helloGroup, l.set.port)
	tick := time.NewTicker(helloInterval)
	defer tick.Stop()
	for {
		l.sender.alsoTo.Store(&group)
		l.sender.kick()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// contact is who was heard from an address, and when last.
type contact struct {
	node string
	at   time.Time
}

// learn notes where a node was heard from, by an advert that is news or by an exchange.
func (l *loop) learn(from netip.Addr, node string, now time.Time) {
	if from == l.set.addr || from.IsLoopback() {
		return
	}
	peer := netip.AddrPortFrom(from, l.set.port)
	c, known := l.learned[peer]
	if !known && len(l.learned) >= maxPeers {
		return
	}
	l.learned[peer] = contact{node, now}
	if c.node != node {
		l.refreshPeers(now)
	}
}

// agreed takes in that there is a new session: from now on adverts reach that node. What came
// through a relay, or from a socket that asks, says nothing about where adverts go.
func (l *loop) agreed(ev agreed) {
	l.log.Debug("new session", "node", ev.node, "from", ev.from)
	if ev.from.Port() == l.set.port {
		l.learn(ev.from.Addr().Unmap(), ev.node, time.Now())
	}
	l.sender.kick()
}

// forgetGone forgets the nodes that have been silent for long and that gossip does not know
// either, so that there is room for others.
func (l *loop) forgetGone(now time.Time) {
	present := func(node string) bool {
		return slices.ContainsFunc(l.gossiped, func(b ipc.Balancer) bool { return b.Node == node })
	}
	for _, node := range l.trust.sweep(now, now.Add(-learnedFor), present) {
		l.log.Info("a balancer has left", "node", node)
		l.filter.Forget(node)
		l.stepAll(election.PeerGone{Node: node})
	}
}

// refreshPeers puts together where adverts go: seeds, whoever was heard of late, and
// balancers that gossip knows.
func (l *loop) refreshPeers(now time.Time) {
	for p, c := range l.learned {
		if now.Sub(c.at) > learnedFor {
			delete(l.learned, p)
		}
	}
	peers := whereTo(l.set.seeds, l.learned, l.gossiped, l.set.addr)
	for _, g := range l.groups { // a VIP among the seeds is for apps to join by
		for _, vip := range g.claimer.Status().Addrs {
			delete(peers, netip.AddrPortFrom(vip, l.set.port))
		}
	}
	list, addrs := make([]target, 0, len(peers)), make([]netip.Addr, 0, len(peers))
	for p, node := range peers {
		list, addrs = append(list, target{p, node}), append(addrs, p.Addr())
	}
	l.sender.to.Store(&list)
	l.trust.setPeers(addrs)
	l.follow(peers)
}

// whereTo returns where adverts go, and to whom as far as that is known. What was proven, with
// the balancer key if there is one, comes before what gossip says: whoever holds the gossip key
// can fill the list with balancers that are none, and must not crowd out the true peer.
func whereTo(seeds []netip.AddrPort, learned map[netip.AddrPort]contact, gossiped []ipc.Balancer, self netip.Addr) map[netip.AddrPort]string {
	peers := make(map[netip.AddrPort]string)
	for _, p := range seeds {
		peers[p] = ""
	}
	for p, c := range learned {
		if _, known := peers[p]; known || len(peers) < maxPeers {
			peers[p] = c.node
		}
	}
	for _, b := range gossiped {
		node, known := peers[b.Addr]
		if b.Addr.IsValid() && b.Addr.Addr() != self && (known && node == "" || !known && len(peers) < maxPeers) {
			peers[b.Addr] = b.Node
		}
	}
	return peers
}
