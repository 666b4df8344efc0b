package keeper

import (
	"net"
	"net/netip"
	"testing"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/vip"
)

func TestE6WhoSpeaksToThisNodeIsToldApart(t *testing.T) {
	mac := func(n byte) [6]byte { return [6]byte{2, 0, 0, 0, 0, n} }
	peer := mac(2)
	addr := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
	s := segment{gateways: []netip.Addr{addr(1)}, macs: map[netip.Addr]net.HardwareAddr{addr(2): peer[:]}}
	many := make([]vip.Station, 300)
	for i := range many {
		many[i] = vip.Station{MAC: mac(9)}
	}
	for name, tc := range map[string]struct {
		spoke []vip.Station
		want  election.Hearing
	}{
		"nobody":      {nil, election.Hearing{}},
		"a peer":      {[]vip.Station{{MAC: mac(2), Addr: addr(42)}}, election.Hearing{Peer: true}},
		"a host":      {[]vip.Station{{MAC: mac(3), Addr: addr(3)}}, election.Hearing{Stations: 1}},
		"the gateway": {[]vip.Station{{MAC: mac(1), Addr: addr(1)}}, election.Hearing{Gateway: true, Stations: 1}},
		"a probe":     {[]vip.Station{{MAC: mac(4)}}, election.Hearing{Stations: 1}},
		"300 hosts":   {many, election.Hearing{Stations: 255}},
	} {
		if got := s.hears(tc.spoke); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	s.gateways = nil
	if got := s.hears([]vip.Station{{MAC: mac(4)}}); got.Gateway {
		t.Error("without a gateway, a probe is taken for one")
	}
}
