package vip

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestEveryMistakeInAConfigIsReportedAtOnce(t *testing.T) {
	a := netip.MustParseAddr
	var many []netip.Addr
	for addr := a("10.0.0.1"); len(many) <= MaxAddrs; addr = addr.Next() {
		many = append(many, addr)
	}
	for name, c := range map[string]struct {
		cfg  Config
		want []string // parts of the error; none means that the config is good
	}{
		"the least":             {cfg: Config{Addrs: []netip.Addr{a("10.0.0.1")}}},
		"the most":              {cfg: Config{Addrs: many[:MaxAddrs], Lease: MaxLease, Adopt: true}},
		"both families":         {cfg: Config{Addrs: []netip.Addr{a("10.0.0.1"), a("fd00::1")}, Lease: MinLease}},
		"no address":            {cfg: Config{}, want: []string{"1 to 16 addresses, not 0"}},
		"too many":              {cfg: Config{Addrs: many}, want: []string{"not 17"}},
		"lease not whole":       {cfg: Config{Addrs: many[:1], Lease: 1500 * time.Millisecond}, want: []string{"lease 1.5s"}},
		"lease too short":       {cfg: Config{Addrs: many[:1], Lease: -time.Second}, want: []string{"lease -1s"}},
		"lease too long":        {cfg: Config{Addrs: many[:1], Lease: 2 * time.Hour}, want: []string{"lease 2h"}},
		"empty address":         {cfg: Config{Addrs: make([]netip.Addr, 1)}, want: []string{"is empty"}},
		"twice, once as mapped": {cfg: Config{Addrs: []netip.Addr{a("10.0.0.1"), a("::ffff:10.0.0.1")}}, want: []string{"10.0.0.1 is in the group twice"}},
		"everything at once": {
			cfg:  Config{Addrs: []netip.Addr{a("0.0.0.0"), a("ff02::1"), a("127.0.0.1"), a("fe80::1%eth0"), a("255.255.255.255")}, Lease: 1},
			want: []string{"0.0.0.0 cannot", "ff02::1 cannot", "127.0.0.1 cannot", "fe80::1%eth0 cannot", "255.255.255.255 cannot", "lease 1ns"},
		},
	} {
		_, err := NewClaimer(c.cfg, nil, nil, nil)
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v lacks %q", name, err, part)
			}
		}
	}
}
