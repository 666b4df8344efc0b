package keeper

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/vip"
)

// An active may be alive and of no use: nobody on the VIP's segment gets a frame of it, or it
// none of theirs (E6). So both balancers say whom they hear there, by frames for them alone.

// gatewaysFound is an event: the default gateways on a group's segment.
type gatewaysFound struct {
	g     *group
	addrs []netip.Addr
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
	s.spoke = g.claimer.SpokeTo(s.spoke[:0], now.Add(-election.UsefulAfter(l.set.interval)))
	if h := s.hears(s.spoke); h != s.hearing || !s.told {
		s.hearing, s.told = h, true
		l.step(g, h)
	}
}

// hears is what those who spoke to this node mean to the election.
func (s *segment) hears(spoke []vip.Station) (h election.Hearing) {
	for _, st := range spoke {
		switch {
		case s.isPeer(st.MAC[:]):
			h.Peer = true
			continue
		case h.Stations < 255:
			h.Stations++
		}
		h.Gateway = h.Gateway || slices.Contains(s.gateways, st.Addr)
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
