package handover

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorder is a kernel that notes what it is asked for, and refuses one thing.
type recorder struct {
	did    []string
	refuse string
	flows  []Flow
}

var errRefused = errors.New("refused")

func (r *recorder) do(what string) error {
	r.did = append(r.did, what)
	if what == r.refuse {
		return errRefused
	}
	return nil
}

func (r *recorder) watch(context.Context, Config) (*Table, error) {
	return &Table{name: "test"}, r.do("watch")
}

func (r *recorder) list(context.Context, Config) ([]Flow, error) { return r.flows, r.do("list") }

func (r *recorder) seed(_ context.Context, _ *Table, flows []Flow) error {
	if !slices.Equal(flows, r.flows) {
		return errors.New("other flows than were listed")
	}
	return r.do("seed")
}

func (r *recorder) forward(*Table, Config) error { return r.do("forward") }

func goodConfig() Config {
	return Config{
		Device: "eth0", VIPs: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1")},
		Peers:    []netip.Addr{netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("192.0.2.11")},
		PeerMACs: []net.HardwareAddr{{2, 0, 0, 0, 0, 1}},
	}
}

func TestNothingIsSentAwayBeforeOursIsKnown(t *testing.T) {
	all := []string{"watch", "list", "seed", "forward"}
	flows := []Flow{{Client: netip.MustParseAddrPort("192.0.2.7:1"), Server: netip.MustParseAddrPort("192.0.2.1:80")}}
	r := &recorder{flows: flows}
	table, err := open(t.Context(), goodConfig(), r)
	if err != nil || !slices.Equal(r.did, all) || table.seeded != 1 {
		t.Errorf("%v (%v), seeded %d; want %v, one seeded", r.did, err, table.seeded, all)
	}
	for i, step := range all {
		r := &recorder{refuse: step, flows: flows}
		table, err := open(t.Context(), goodConfig(), r)
		if !errors.Is(err, errRefused) || table != nil || !slices.Equal(r.did, all[:i+1]) {
			t.Errorf("%s refused: %v and %v; want the error, and nothing after it", step, r.did, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = &recorder{}
	if _, err := open(ctx, goodConfig(), r); !errors.Is(err, context.Canceled) || slices.Contains(r.did, "forward") {
		t.Errorf("cancelled: %v and %v; want no forwarding", r.did, err)
	}
}

func TestAWrongConfigIsRefusedWithItsReason(t *testing.T) {
	good, err := goodConfig().checked()
	if err != nil || good.Drain != DefaultDrain || good.MaxFlows != DefaultMaxFlows || !good.VIPs[0].Is4() {
		t.Fatalf("%+v: %v", good, err)
	}
	if peer, _ := good.peerOf(good.VIPs[0]); peer != netip.MustParseAddr("192.0.2.11") {
		t.Errorf("the peer is %v", peer)
	}
	for want, spoil := range map[string]func(*Config){
		"no device":                 func(c *Config) { c.Device = "" },
		"0 VIPs":                    func(c *Config) { c.VIPs = nil },
		"65 VIPs":                   func(c *Config) { c.VIPs = make([]netip.Addr, 65) },
		"invalid VIP":               func(c *Config) { c.VIPs = []netip.Addr{{}} },
		"0 hardware addresses":      func(c *Config) { c.PeerMACs = nil },
		"is not Ethernet's":         func(c *Config) { c.PeerMACs = []net.HardwareAddr{{1, 2}} },
		"no address of the family":  func(c *Config) { c.Peers = c.Peers[:1] },
		"is a VIP":                  func(c *Config) { c.Peers = c.VIPs },
		"a drain of 1ms":            func(c *Config) { c.Drain = time.Millisecond },
		"a drain of 48h":            func(c *Config) { c.Drain = 48 * time.Hour },
		"at most -1 flows":          func(c *Config) { c.MaxFlows = -1 },
		"17 hardware addresses":     func(c *Config) { c.PeerMACs = make([]net.HardwareAddr, 17) },
		"at most 16777217 flows; 1": func(c *Config) { c.MaxFlows = 1<<24 + 1 },
	} {
		c := goodConfig()
		spoil(&c)
		if _, err := c.checked(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}
