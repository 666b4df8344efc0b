package keeper

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
)

// Peers find each other without lists: once a second each keeper sends its advert to a
// multicast group on the VIP's segment too (E1), and whoever hears an authentic advert
// from an address it did not know begins to send its own there.
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
	return p.SetMulticastTTL(1)
}

// hello makes every advert of one moment a second go to the group as well, until ctx ends.
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

// learn notes where an authentic advert came from.
func (l *loop) learn(from netip.Addr, now time.Time) {
	if from == l.set.addr || from.IsLoopback() {
		return
	}
	peer := netip.AddrPortFrom(from, l.set.port)
	_, known := l.learned[peer]
	if !known && len(l.learned) >= maxPeers {
		return
	}
	l.learned[peer] = now
	if !known {
		l.refreshPeers(now)
	}
}

// refreshPeers puts together where adverts go: seeds, balancers that gossip knows, and
// whoever was heard of late.
func (l *loop) refreshPeers(now time.Time) {
	peers := make(map[netip.AddrPort]bool)
	for _, p := range l.set.seeds {
		peers[p] = true
	}
	for _, p := range l.gossiped {
		if p.IsValid() && p.Addr() != l.set.addr && len(peers) < maxPeers {
			peers[p] = true
		}
	}
	for p, heard := range l.learned {
		switch {
		case now.Sub(heard) > learnedFor:
			delete(l.learned, p)
		case len(peers) < maxPeers:
			peers[p] = true
		}
	}
	for _, g := range l.groups { // a VIP among the seeds is for apps to join by
		for _, vip := range g.claimer.Status().Addrs {
			delete(peers, netip.AddrPortFrom(vip, l.set.port))
		}
	}
	list := make([]netip.AddrPort, 0, len(peers))
	for p := range peers {
		list = append(list, p)
	}
	l.sender.to.Store(&list)
	l.follow(peers)
}
