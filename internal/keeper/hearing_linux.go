package keeper

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/vip"
)

// An active may be alive and of no use: nobody on the VIP's segment gets a frame of it, or it
// none of theirs (E6). So both balancers say whom they hear there, by frames for them alone.

// gatewayFound is an event: the default gateway on a group's segment.
type gatewayFound struct {
	g    *group
	addr netip.Addr // invalid: there is none
}

// complained is an event: an authentic question that carries a complaint.
type complained struct{ q election.Question }

// complained hands a complaint to the machine of its group.
func (l *loop) complained(ev complained) {
	for _, g := range l.groups {
		if c, ok := ev.q.Complained(g.name); ok {
			l.step(g, c)
		}
	}
}

// listen tells the machine whom this node hears, at first and when that changes.
func (l *loop) listen(g *group, now time.Time) {
	s := &g.segment
	spoke := g.claimer.SpokeTo(now.Add(-election.UsefulAfter(l.set.interval)))
	if h := s.hears(spoke); h != s.hearing || !s.told {
		s.hearing, s.told = h, true
		l.step(g, h)
	}
}

// hears is what those who spoke to this node mean to the election.
func (s *segment) hears(spoke []vip.Station) (h election.Hearing) {
	for _, st := range spoke {
		switch {
		case s.isPeer(st.MAC):
			h.Peer = true
			continue
		case h.Stations < 255:
			h.Stations++
		}
		h.Gateway = h.Gateway || st.Addr.IsValid() && st.Addr == s.gateway
	}
	return h
}

func (s *segment) isPeer(mac net.HardwareAddr) bool {
	for _, m := range s.macs {
		if bytes.Equal(m, mac) {
			return true
		}
	}
	return false
}

// findGateway looks for the gateway, which is asked first of all. It is called beside the loop.
func (l *loop) findGateway(g *group) []netip.Addr {
	routes, err := os.ReadFile("/proc/thread-self/net/route")
	if err != nil {
		return nil
	}
	addr := gatewayOf(string(routes), g.ifi.Name)
	l.emit(gatewayFound{g, addr})
	if !addr.IsValid() {
		return nil
	}
	return []netip.Addr{addr}
}

// gatewayOf reads from the kernel's routes (/proc/net/route) the default gateway on an
// interface; invalid for none.
func gatewayOf(routes, ifname string) netip.Addr {
	for line := range strings.Lines(routes) {
		f := strings.Fields(line) // interface, destination, gateway, flags, 3 numbers, mask; addresses in the CPU's order
		if len(f) < 8 || f[0] != ifname || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		if n, err := strconv.ParseUint(f[2], 16, 32); err == nil && n != 0 {
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], uint32(n))
			return netip.AddrFrom4(b)
		}
	}
	return netip.Addr{}
}
