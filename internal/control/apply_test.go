package control

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/tandem-lb/tandem/internal/ipc"
)

func TestWhereGossipListensSurvivesTheWayFromTheKeeper(t *testing.T) {
	for _, tc := range []struct {
		start ipc.ControlStart
		want  netip.AddrPort
	}{
		{ipc.ControlStart{GossipPort: 7999}, netip.AddrPortFrom(netip.Addr{}, 7999)}, // all of the family that it is reached by
		{ipc.ControlStart{GossipPort: 7946, GossipAddr: netip.MustParseAddr("10.0.0.1")}, netip.MustParseAddrPort("10.0.0.1:7946")},
		{ipc.ControlStart{GossipPort: 7946, GossipAddr: netip.MustParseAddr("::")}, netip.MustParseAddrPort("[::]:7946")},
	} {
		wire, err := json.Marshal(tc.start)
		if err != nil {
			t.Fatal(err)
		}
		var arrived ipc.ControlStart
		if err := json.Unmarshal(wire, &arrived); err != nil {
			t.Fatal(err)
		}
		if got := clusterConfig(&arrived).Bind; got != tc.want {
			t.Errorf("%s: gossip is bound to %s, want %s", wire, got, tc.want)
		}
	}
}
