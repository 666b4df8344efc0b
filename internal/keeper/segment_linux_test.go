package keeper

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/tandem-lb/tandem/vip"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func TestE5SignsOfLifeAreAskedOfHostsOnTheSegment(t *testing.T) {
	vips := addrs("192.168.42.42", "fd00::42")
	hosts := vip.Hosts{
		Gateways: addrs("192.168.42.1", "fe80::1"),
		Answered: addrs("192.168.42.21", "192.168.42.42", "192.168.42.1", "192.168.42.22", "192.168.42.23",
			"fd00::42", "fd00::21", "fd00::22", "fe80::1"),
		Unanswered: addrs("192.168.42.99"),
	}
	for _, tc := range []struct {
		name  string
		hosts vip.Hosts
		which hostKind
		want  []netip.Addr
	}{
		{
			"the gateways, and four others of both families", hosts, known,
			addrs("192.168.42.1", "fe80::1", "192.168.42.21", "fd00::21", "fd00::22", "192.168.42.22"),
		},
		{"those asked in vain", hosts, unanswered, addrs("192.168.42.1", "fe80::1", "192.168.42.99")},
		{
			"IPv6 alone",
			vip.Hosts{Answered: addrs("fd00::21", "fd00::22", "fd00::23", "fd00::24", "fd00::25")},
			known,
			addrs("fd00::21", "fd00::22", "fd00::23", "fd00::24"),
		},
		{"nobody", vip.Hosts{}, known, nil},
		{
			"more gateways than anybody has",
			vip.Hosts{Gateways: addrs("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")},
			known,
			addrs("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"),
		},
	} {
		if got := toAsk(tc.hosts, tc.which, vips, solicitHosts); !slices.Equal(got, tc.want) {
			t.Errorf("%s: asked are %v, want %v", tc.name, got, tc.want)
		}
	}
}
