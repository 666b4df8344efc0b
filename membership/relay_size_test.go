package membership_test

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/tandem-lb/tandem/membership"
	"github.com/tandem-lb/tandem/membership/membershiptest"
)

// sizes notes the largest packet sent.
type sizes struct {
	*membershiptest.Transport
	mu   sync.Mutex
	most int
}

func (s *sizes) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	s.mu.Lock()
	s.most = max(s.most, len(b))
	s.mu.Unlock()
	return s.Transport.WriteToAddress(b, a)
}

func TestTheLargestRelayFitsIntoOneEthernetFrame(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		keys := [][]byte{bytes.Repeat([]byte("k"), 32)}
		to := netip.MustParseAddrPort("[fd00:1111:2222:3333:4444:5555:6666:7777]:65535")
		suffix := strings.Repeat("x", 62)
		var spies []*sizes
		start := func(name string, host int) *node {
			return w.start(name+suffix[:64-len(name)], host, bothSeeds, func(cfg *membership.Config) {
				spy := &sizes{Transport: cfg.Transport.(*membershiptest.Transport)}
				spies = append(spies, spy)
				cfg.Keys, cfg.Transport = keys, spy
				cfg.Exchange = func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
					return make([]byte, membership.MaxRelay), nil
				}
				if name == "lb2" {
					cfg.Meta.AdvertAddr = to
				}
			})
		}
		lb1, lb2, s1 := start("lb1", 11), start("lb2", 12), start("s1", 21)
		for _, n := range []*node{lb1, lb2, s1} {
			w.within(2*time.Second, "all are there", func() bool { return len(n.Members()) == 3 })
		}
		answer := 0
		if err := lb1.Relay(to, make([]byte, membership.MaxRelay), 3, func(a membership.RelayAnswer) { answer = len(a.Datagram) }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if answer != membership.MaxRelay {
			t.Errorf("the answer has %d bytes", answer)
		}
		for _, spy := range []*sizes{spies[0], spies[2]} { // request and answer
			const fits = 1500 - 40 - 8 // IPv6 and UDP
			if spy.most > fits || spy.most < membership.MaxRelay {
				t.Errorf("a packet of %d bytes was sent; %d fit", spy.most, fits)
			}
			t.Logf("largest packet: %d bytes", spy.most)
		}
	})
}
