package keeper

import (
	"net/netip"
	"testing"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// A member that holds the gossip key may announce any number of balancers; the true ones get their adverts all the same.
func TestInventedBalancersDoNotCrowdOutThePeer(t *testing.T) {
	at := func(last byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 7947)
	}
	var invented []ipc.Balancer
	for i := range 2 * maxPeers {
		invented = append(invented, ipc.Balancer{Node: "evil", Addr: at(byte(100 + i))})
	}
	learned := map[netip.AddrPort]contact{at(12): {node: "lb2"}, at(13): {node: "lb3"}}
	got := whereTo([]netip.AddrPort{at(13)}, learned, append(invented, ipc.Balancer{Node: "lb1", Addr: at(11)}), at(11).Addr())
	if len(got) != maxPeers || got[at(12)] != "lb2" || got[at(13)] != "lb3" {
		t.Errorf("adverts go to %d addresses, among them %q and %q", len(got), got[at(12)], got[at(13)])
	}
	got = whereTo([]netip.AddrPort{at(12)}, nil, []ipc.Balancer{{Node: "lb2", Addr: at(12)}, {Node: "lb1", Addr: at(11)}}, at(11).Addr())
	if len(got) != 1 || got[at(12)] != "lb2" {
		t.Errorf("a seed that gossip knows: %v", got)
	}
}
