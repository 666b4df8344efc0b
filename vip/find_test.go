package vip

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestFindChoosesTheInterfaceOfTheSubnet(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	ifi := func(index int, name string, addrs ...string) candidate {
		c := candidate{Interface: net.Interface{Index: index, Name: name, HardwareAddr: mac, Flags: net.FlagUp}}
		for _, a := range addrs {
			c.addrs = append(c.addrs, netip.MustParsePrefix(a))
		}
		return c
	}
	down := func(c candidate) candidate { c.Flags &^= net.FlagUp; return c }
	loopback := func(c candidate) candidate { c.Flags |= net.FlagLoopback; return c }
	tunnel := func(c candidate) candidate { c.HardwareAddr = nil; return c }

	lo := loopback(ifi(1, "lo", "127.0.0.1/8", "::1/128"))
	eth0 := ifi(2, "eth0", "10.0.0.1/24", "fd00::1/64")
	eth1 := ifi(3, "eth1", "192.168.1.1/24")

	for _, c := range []struct {
		sentence   string
		all        []candidate
		addr, name string
		want       string   // name and own address
		wantErr    []string // parts
	}{
		{
			sentence: "the interface whose subnet contains the VIP",
			all:      []candidate{lo, eth0, eth1}, addr: "10.0.0.100", want: "eth0 (10.0.0.1/24)",
		},
		{
			sentence: "IPv6 likewise",
			all:      []candidate{lo, eth0, eth1}, addr: "fd00::100", want: "eth0 (fd00::1/64)",
		},
		{
			sentence: "of several the longest prefix",
			all:      []candidate{ifi(2, "eth0", "10.0.0.1/8"), ifi(3, "eth1", "10.0.0.2/24")}, addr: "10.0.0.100", want: "eth1 (10.0.0.2/24)",
		},
		{
			sentence: "an equal rival is an error that lists them",
			all:      []candidate{eth0, ifi(3, "eth1", "10.0.0.2/24")}, addr: "10.0.0.100",
			wantErr: []string{"2 interfaces are in 10.0.0.0/24", "name one", "eth0: 10.0.0.1/24", "eth1: 10.0.0.2/24"},
		},
		{
			sentence: "the name settles it",
			all:      []candidate{eth0, ifi(3, "eth1", "10.0.0.2/24")}, addr: "10.0.0.100", name: "eth1", want: "eth1 (10.0.0.2/24)",
		},
		{
			sentence: "a named interface may lie in another subnet",
			all:      []candidate{lo, eth0, eth1}, addr: "172.16.0.100", name: "eth0", want: "eth0 (10.0.0.1/24)",
		},
		{
			sentence: "none in the subnet: what was looked at, and the remedy",
			all:      []candidate{lo, eth0, ifi(3, "eth1")}, addr: "172.16.0.100",
			wantErr: []string{"lo: 127.0.0.1/8 ::1/128 loopback", "eth0: 10.0.0.1/24 fd00::1/64", "eth1: no address", "give one an address in the subnet of 172.16.0.100"},
		},
		{
			sentence: "down, loopback and without a MAC do not count",
			all:      []candidate{down(eth0), loopback(ifi(3, "lo1", "10.0.0.2/24")), tunnel(ifi(4, "wg0", "10.0.0.3/24"))}, addr: "10.0.0.100",
			wantErr: []string{"eth0: 10.0.0.1/24 fd00::1/64 down", "loopback", "wg0: 10.0.0.3/24 not Ethernet"},
		},
		{
			sentence: "a named interface that does not exist",
			all:      []candidate{lo, eth0}, addr: "10.0.0.100", name: "eth7", wantErr: []string{"eth7 must exist"},
		},
		{
			sentence: "the node's own address cannot be a VIP",
			all:      []candidate{lo, eth0}, addr: "10.0.0.1", wantErr: []string{"eth0 has 10.0.0.1/24", "choose another VIP"},
		},
		{
			sentence: "a VIP left by a killed run does not count as an own address",
			all:      []candidate{ifi(2, "eth0", "10.0.0.100/32", "10.0.0.1/24")}, addr: "10.0.0.100", want: "eth0 (10.0.0.1/24)",
		},
		{
			sentence: "another VIP of the group does not count as an own address",
			all:      []candidate{ifi(2, "eth0", "10.0.0.99/32", "10.0.0.1/24")}, addr: "10.9.9.9", name: "eth0", want: "eth0 (10.0.0.1/24)",
		},
	} {
		got, err := choose(c.all, netip.MustParseAddr(c.addr), c.name)
		if (err != nil) != (len(c.wantErr) > 0) {
			t.Errorf("%s: %v, error %v", c.sentence, got, err)
			continue
		}
		for _, part := range c.wantErr {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %q lacks %q", c.sentence, err, part)
			}
		}
		if err == nil && got.String() != c.want {
			t.Errorf("%s: %v, want %v", c.sentence, got, c.want)
		}
	}
}

func TestFindNamesTheVIPInItsError(t *testing.T) {
	_, err := Find(netip.MustParseAddr("203.0.113.77"), "no-such-if0")
	if err == nil || !strings.Contains(err.Error(), "203.0.113.77") || errors.Is(err, errIsOwn) {
		t.Errorf("Find with a name that does not exist: %v", err)
	}
}
