package membership

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestAVIPIsNotAdvertisedWhileThereIsAnotherAddress(t *testing.T) {
	for _, tc := range []struct {
		what string
		own  []netip.Prefix
		want string
	}{
		{"a VIP before the own address", prefixes("127.0.0.1/8", "192.168.42.42/32", "192.168.42.11/24"), "192.168.42.11"},
		{"IPv4 before IPv6", prefixes("fd00::1/64", "10.0.0.1/8"), "10.0.0.1"},
		{"only IPv6, and a VIP of it", prefixes("fe80::1/64", "fd00::42/128", "fd00::1/64"), "fd00::1"},
		{"a cloud that gives host addresses only", prefixes("127.0.0.1/8", "10.132.0.2/32"), "10.132.0.2"},
		{"an IPv6 host with an IPv4 VIP", prefixes("192.168.42.42/32", "fd00::1/64"), "fd00::1"},
		{"nothing", prefixes("127.0.0.1/8", "fe80::1/64"), ""},
	} {
		got, ok := bestOf(tc.own)
		if ok != (tc.want != "") || ok && got.String() != tc.want {
			t.Errorf("%s: %v %v, want %s", tc.what, got, ok, tc.want)
		}
	}
}

func TestTheKernelsChoiceOfSourceIsTakenUnlessItIsAVIP(t *testing.T) {
	own := prefixes("127.0.0.1/8", "192.168.42.42/32", "192.168.42.11/24", "10.0.0.1/8")
	for from, want := range map[string]bool{
		"192.168.42.11": true, "10.0.0.1": true, "192.168.42.42": false, "127.0.0.1": true,
	} {
		if got := plausible(netip.MustParseAddr(from), own); got != want {
			t.Errorf("%s: %v, want %v", from, got, want)
		}
	}
	if !plausible(netip.MustParseAddr("10.132.0.2"), prefixes("10.132.0.2/32")) {
		t.Error("the only address was refused")
	}
}

// kernel chooses a source as the kernel does: the own address on the network of to, else the one with the default route.
func kernel(own []netip.Prefix, route string) func(netip.AddrPort) (netip.Addr, bool) {
	return func(to netip.AddrPort) (netip.Addr, bool) {
		for _, p := range own {
			if p.Contains(to.Addr()) {
				return p.Addr(), true
			}
		}
		for _, p := range own {
			if p.Addr().String() == route && to.Addr().Is4() == p.Addr().Is4() {
				return p.Addr(), true
			}
		}
		return netip.Addr{}, false
	}
}

func TestTheAddressOnTheRightNetworkIsAdvertised(t *testing.T) {
	docker := prefixes("127.0.0.1/8", "172.17.0.1/16", "10.1.0.5/24", "192.168.42.11/24", "fd42::11/64", "fe80::1/64")
	addrs := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	for _, tc := range []struct {
		what string
		own  []netip.Prefix
		cfg  Config
		want string
	}{
		{"named", docker, Config{Advertise: netip.MustParseAddr("::ffff:10.0.0.5"), Bind: netip.MustParseAddrPort("127.0.0.1:0")}, "10.0.0.5"},
		{"bound", docker, Config{Bind: netip.MustParseAddrPort("127.0.0.7:0"), Seeds: []string{"10.1.0.9"}}, "127.0.0.7"},
		{"an app that joins the VIP", docker, Config{Seeds: []string{"192.168.42.42"}}, "192.168.42.11"},
		{"an app that joins an IPv6 VIP", docker, Config{Seeds: []string{"[fd42::42]:7946"}}, "fd42::11"},
		{"a balancer beside Docker, by its VIP", docker, Config{Near: addrs("192.168.42.42")}, "192.168.42.11"},
		{"a balancer whose VIP is an IPv6 one", docker, Config{Near: addrs("fd42::42")}, "fd42::11"},
		{"the second VIP is on a network of this host", docker, Config{Near: addrs("203.0.113.1", "10.1.0.42")}, "10.1.0.5"},
		{"a balancer that joins by names", docker, Config{Seeds: []string{"lb1", "lb2"}, Near: addrs("192.168.42.42")}, "192.168.42.11"},
		{"it names itself on another network than the VIP's", docker, Config{Seeds: []string{"10.1.0.5", "10.1.0.6"}, Near: addrs("192.168.42.42")}, "10.1.0.5"},
		{"it names others on another network", docker, Config{Seeds: []string{"10.1.0.6"}, Near: addrs("192.168.42.42")}, "192.168.42.11"},
		{"an app that joins by a name", docker, Config{Seeds: []string{"unknown", "in-42"}}, "192.168.42.11"},
		{"an app whose seeds are not known yet", docker, Config{Seeds: []string{"unknown"}}, "172.17.0.1"},
		{"a seed beyond the router", docker, Config{Seeds: []string{"203.0.113.9"}}, "10.1.0.5"},
		{"one network, so names are not looked up", prefixes("10.1.0.5/24"), Config{Seeds: []string{"never asked"}}, "10.1.0.5"},
		{"a VIP that a killed run left", prefixes("192.168.42.42/32", "192.168.42.11/24"), Config{Seeds: []string{"192.168.42.42"}, Near: addrs("192.168.42.42")}, "192.168.42.11"},
		{"a VIP that has the network's prefix", prefixes("192.168.42.42/24", "192.168.42.11/24"), Config{Near: addrs("192.168.42.42")}, "192.168.42.11"},
		{"the seed is on this host", prefixes("127.0.0.1/8", "10.1.0.5/24"), Config{Seeds: []string{"127.0.0.1:7000"}}, "127.0.0.1"},
		{"nothing but loopback", prefixes("127.0.0.1/8", "fe80::1/64"), Config{Seeds: []string{"10.1.0.1"}}, ""},
	} {
		s := surroundings{tc.own, kernel(tc.own, "10.1.0.5"), func(s seed) ([]netip.AddrPort, error) {
			switch s.host {
			case "unknown":
				return nil, errors.New("no such host")
			case "in-42":
				return []netip.AddrPort{netip.MustParseAddrPort("192.168.42.99:7946")}, nil
			}
			t.Errorf("%s: %q was looked up", tc.what, s.host)
			return nil, nil
		}}
		got, err := s.choose(tc.cfg)
		switch {
		case tc.want == "" && (err == nil || !strings.Contains(err.Error(), "name the one to advertise")):
			t.Errorf("%s: %v, %v; want an error that says what to do", tc.what, got, err)
		case tc.want != "" && (err != nil || got.String() != tc.want):
			t.Errorf("%s: %v, %v; want %s", tc.what, got, err, tc.want)
		}
	}
}

func TestGossipListensWhereItIsToBeReached(t *testing.T) {
	for _, tc := range []struct{ bind, advertise, want string }{
		{"", "10.0.0.5", "0.0.0.0:7946"},
		{"", "fd00::5", "[::]:7946"},
		{"0.0.0.0:0", "10.0.0.5", "0.0.0.0:0"},
		{"[::]:8000", "10.0.0.5", "[::]:8000"},
		{"0.0.0.0:8000", "fd00::5", ""},
	} {
		cfg := Config{Advertise: netip.MustParseAddr(tc.advertise)}
		if tc.bind != "" {
			cfg.Bind = netip.MustParseAddrPort(tc.bind)
		}
		err := cfg.place()
		if tc.want == "" && (err == nil || !strings.Contains(err.Error(), "[::]:8000")) || tc.want != "" && (err != nil || cfg.Bind.String() != tc.want) {
			t.Errorf("%+v: %v, %v", tc, cfg.Bind, err)
		}
	}
	cfg := Config{Advertise: netip.MustParseAddr("fd00::5"), Bind: netip.AddrPortFrom(netip.Addr{}, 8000)}
	if err := cfg.place(); err != nil || cfg.Bind.String() != "[::]:8000" {
		t.Errorf("a port alone: %v, %v", cfg.Bind, err)
	}
}
