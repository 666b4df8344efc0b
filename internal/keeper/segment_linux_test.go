package keeper

import (
	"net/netip"
	"slices"
	"testing"
)

func TestE5SignsOfLifeAreAskedOfHostsOnTheSegment(t *testing.T) {
	const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.42.21    0x1         0x2         02:6c:61:62:00:04     *        eth0
192.168.42.99    0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.42.42    0x1         0x2         02:6c:61:62:00:02     *        eth0
10.0.0.1         0x1         0x2         02:6c:61:62:00:09     *        eth1
192.168.42.1     0x1         0x6         02:6c:61:62:00:01     *        eth0
not an address
192.168.42.22    0x1         0x2         02:6c:61:62:00:05     *        eth0
192.168.42.23    0x1         0x2         02:6c:61:62:00:06     *        eth0
192.168.42.24    0x1         0x2         02:6c:61:62:00:07     *        eth0
`
	got := neighbours(table, "eth0", []netip.Addr{netip.MustParseAddr("192.168.42.42")}, known, 4)
	var want []netip.Addr
	for _, a := range []string{"192.168.42.21", "192.168.42.1", "192.168.42.22", "192.168.42.23"} {
		want = append(want, netip.MustParseAddr(a))
	}
	if !slices.Equal(got, want) {
		t.Errorf("asked are %v, want %v: those that have answered before, without the VIP, four at most", got, want)
	}
	got = neighbours(table, "eth0", nil, unanswered, 4)
	if len(got) != 1 || got[0] != netip.MustParseAddr("192.168.42.99") {
		t.Errorf("asked in vain were %v, want 192.168.42.99", got)
	}
}
