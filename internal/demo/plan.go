package demo

import (
	"net/netip"
	"strings"
)

// The network of the demo.
var (
	vip        = netip.MustParseAddr("192.168.42.42")
	clientAddr = netip.MustParsePrefix("192.168.42.100/24")
	eyeAddr    = netip.MustParseAddr("192.168.42.250") // who asks for the VIP's owner; nobody has it
)

const (
	sitePort   = 80
	appPort    = 3000
	statusPort = 1936
)

// role of a host with daemons.
type role struct {
	name string
	addr netip.Prefix
	args []string // of tandem, in that host
}

var balancers, apps = plan()

func plan() (lbs, webs []role) {
	lbs = []role{{name: "lb1", addr: netip.MustParsePrefix("192.168.42.11/24")}, {name: "lb2", addr: netip.MustParsePrefix("192.168.42.12/24")}}
	var join []string
	for _, r := range lbs {
		join = append(join, r.addr.Addr().String())
	}
	for i := range lbs {
		lbs[i].args = []string{"lb", "--vip", vip.String(), "--join", strings.Join(join, ","), "--listen", ":80", "--pool", "web"}
	}
	for i, name := range []string{"web1", "web2", "web3"} {
		webs = append(webs, role{
			name: name,
			addr: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 42, byte(21 + i)}), 24),
			args: []string{
				"agent", "--pool", "web", "--port", "3000", "--join", vip.String(),
				"--", "/proc/self/exe", "webapp", "--listen", ":3000", "--name", name,
			},
		})
	}
	return lbs, webs
}

// names of all apps but those.
func appsWithout(missing ...string) []string {
	var out []string
next:
	for _, r := range apps {
		for _, m := range missing {
			if r.name == m {
				continue next
			}
		}
		out = append(out, r.name)
	}
	return out
}
