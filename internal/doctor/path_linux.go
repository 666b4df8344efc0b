package doctor

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// echoTries is how often each size is tried, in case one is lost.
	echoTries    = 3
	echoInterval = 150 * time.Millisecond
)

// sizes are the packets that are tried on a path, beside as large a one as the interface
// takes: usual tunnels, IPv6's least, and what gets through anywhere.
var sizes = []int{1500, 1492, 1450, 1400, 1280, 576}

// pathsThere tries the paths to all IPv4 peers at once.
func pathsThere(ctx context.Context, w Wanted, ifs []Interface, mayEcho bool) []PeerPath {
	var (
		wg  sync.WaitGroup
		all []PeerPath
	)
	for _, peer := range w.Peers[:min(len(w.Peers), maxTargets)] {
		if mtu := mtuTowards(ifs, peer); peer.Is4() && mtu > 0 {
			all = append(all, PeerPath{Peer: peer, Want: mtu})
		}
	}
	for i := range all {
		p := &all[i]
		if mayEcho {
			wg.Go(func() { p.MTU = pathMTU(ctx, p.Peer, p.Want) })
		}
		wg.Go(func() { p.UDP = tryUDP(ctx, netip.AddrPortFrom(p.Peer, w.AdvertPort)) })
	}
	wg.Wait()
	return all
}

// mtuTowards is that of the interface by which a peer is reached.
func mtuTowards(ifs []Interface, peer netip.Addr) (mtu int) {
	for _, i := range ifs {
		if slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(peer) }) {
			return i.MTU
		}
		if i.Default {
			mtu = i.MTU
		}
	}
	return mtu
}

// pathMTU is the largest packet that comes back from a peer in one piece; 0: none does.
func pathMTU(ctx context.Context, peer netip.Addr, want int) (mtu int) {
	c, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.IPv4PacketConn().PacketConn.(*net.IPConn).SyscallConn()
	if err != nil {
		return 0
	}
	var failed error
	err = raw.Control(func(fd uintptr) { // never in pieces, whatever was learnt of the path
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	})
	if cmp.Or(err, failed) != nil {
		return 0
	}
	return echoes(ctx, c, peer, want)
}

// echoes sends all sizes and returns the largest that is answered.
func echoes(ctx context.Context, c *icmp.PacketConn, peer netip.Addr, want int) (mtu int) {
	id := int(time.Now().UnixNano() & 0xffff)
	b := make([]byte, 1<<16)
	for range echoTries {
		for _, size := range append([]int{want}, sizes...) {
			if size > want || size <= mtu {
				continue
			}
			m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: size, Data: make([]byte, size-echoBytes)}}
			if out, err := m.Marshal(nil); err == nil {
				c.WriteTo(out, &net.IPAddr{IP: peer.AsSlice()}) // one that does not get out is not answered
			}
		}
		c.SetReadDeadline(time.Now().Add(echoInterval))
		for mtu < want && ctx.Err() == nil {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				break
			}
			m, err := icmp.ParseMessage(unix.IPPROTO_ICMP, b[:n])
			if err != nil || m.Type != ipv4.ICMPTypeEchoReply || from.String() != peer.String() {
				continue
			}
			if e, ok := m.Body.(*icmp.Echo); ok && e.ID == id && e.Seq == n+20 {
				mtu = max(mtu, e.Seq)
			}
		}
	}
	return mtu
}

// tryUDP sends an empty datagram. Where nobody listens, a host says so; a balancer does not
// answer what no balancer would send, and a firewall says nothing either.
func tryUDP(ctx context.Context, at netip.AddrPort) string {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", at.String())
	if err != nil {
		return PortSilent
	}
	defer c.Close()
	for range echoTries {
		if _, err = c.Write(nil); err == nil {
			c.SetReadDeadline(time.Now().Add(echoInterval))
			_, err = c.Read(make([]byte, 1))
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			return PortRefused
		}
	}
	return PortSilent
}
