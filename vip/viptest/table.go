package viptest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// VIPs of the table; every station of a Net must reach them without a router.
var (
	VIP4 = netip.MustParseAddr("10.77.0.100")
	VIP6 = netip.MustParseAddr("fd77::100")
)

// Run runs the table: with calls body with a fresh Net, perhaps in a synctest bubble.
func Run(t *testing.T, with func(t *testing.T, body func(t *testing.T, n Net))) {
	for _, b := range slices.Concat(behaviours, muteBehaviours) {
		t.Run(b.sentence, func(t *testing.T) {
			for _, addr := range []netip.Addr{VIP4, VIP6} {
				family := "IPv6"
				if addr.Is4() {
					family = "IPv4"
				}
				t.Run(family, func(t *testing.T) {
					with(t, func(t *testing.T, n Net) { b.prove(t, n, addr) })
				})
			}
		})
	}
}

type behaviour struct {
	sentence string
	prove    func(t *testing.T, n Net, addr netip.Addr)
}

var behaviours = []behaviour{
	{"after Claim the address is there with a lease and neighbours send to us", claimed},
	{"claiming and releasing twice is no error", twice},
	{"a group moves as one", group},
	{"a Claim that cannot announce takes everything back", takenBack},
	{"a Claim without carrier is refused and leaves nothing", noCarrier},
	{"a neighbour follows a takeover even if its cache was updated a moment ago", takeover},
	{"who stops renewing loses the address by itself", leaseEnds},
	{"who renews keeps the address beyond its lease", leaseRenewed},
	{"an address deleted by something else comes back and is reported", deleted},
	{"Probe finds a foreign owner, and nobody", probed},
	{"another station's claim is reported with its MAC and the neighbours come back to us", conflict},
	{"a peer's claim is reported as a peer's", peerClaims},
	{"loss and return of the carrier are reported and the return is announced", carrier},
	{"an address left by a killed run is removed at start", stale},
	{"an address left by a killed run is adopted if so configured", adopted},
	{"a permanent address of this node is not touched", notOurs},
	{"Announce of what is not claimed is refused", announceRefused},
	{"Run ends with an error when its link is closed", closedUnder},
}

// holding configures a lease that outlasts every stall of a busy machine.
func holding(addrs ...netip.Addr) vip.Config {
	return vip.Config{Addrs: addrs, Lease: longLease}
}

const longLease = time.Minute

func claimed(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	if node.Status().Held {
		t.Error("held before Claim")
	}
	must(t, node.Claim(t.Context()))
	st, err := node.Link.State(t.Context())
	must(t, err)
	i := slices.IndexFunc(st.Addrs, func(on vip.Address) bool { return on.Prefix.Addr() == addr })
	if i < 0 || !st.Addrs[i].Prefix.IsSingleIP() || st.Addrs[i].Lease <= 0 || st.Addrs[i].Lease > longLease {
		t.Fatalf("after Claim %s is not there alone in its subnet with a lease of at most %v: %v", addr, longLease, st.Addrs)
	}
	Eventually(t, "the client sends to the claimant", func() bool { return PointsAt(t, client, addr, a) })
	if s := node.Status(); !s.Held || s.Announced < 1 || s.Since.IsZero() || s.LeaseUntil.Sub(s.Renewed) != longLease {
		t.Errorf("status after Claim: %+v", s)
	}
	must(t, node.Release(t.Context()))
	if Has(t, a, addr) {
		t.Error("still there after Release")
	}
	if s := node.Status(); s.Held || !s.LeaseUntil.IsZero() {
		t.Errorf("status after Release: %+v", s)
	}
}

func twice(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Release(t.Context()))
	for range 2 {
		must(t, node.Claim(t.Context()))
		if !Has(t, a, addr) {
			t.Error("not there after Claim")
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // a process that is shutting down can still release
		must(t, node.Release(ended))
		if Has(t, a, addr) {
			t.Error("there after Release")
		}
	}
	must(t, node.Claim(t.Context()))
	if !Has(t, a, addr) {
		t.Error("not there after another Claim")
	}
	if lost := node.Events(vip.Lost); len(lost) > 0 {
		t.Errorf("our own deletions were taken for a loss: %v", lost)
	}
}

func group(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	all := []netip.Addr{addr, addr.Next(), VIP4.Prev(), VIP6.Prev()}
	node := Start(t, a, holding(all...))
	must(t, node.Claim(t.Context()))
	for _, addr := range all {
		if !Has(t, a, addr) {
			t.Errorf("%s is not there after Claim", addr)
		}
	}
	if got := node.Status().Announced; got < uint64(len(all)) {
		t.Errorf("%d announcements for %d addresses", got, len(all))
	}
	must(t, node.Release(t.Context()))
	for _, addr := range all {
		if Has(t, a, addr) {
			t.Errorf("%s is there after Release", addr)
		}
	}
}

func takenBack(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, holding(addr, addr.Next()))
	must(t, node.Wire.Close())
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrClosed) {
		t.Errorf("Claim over a closed wire: %v; want ErrClosed", err)
	}
	if Has(t, a, addr) || Has(t, a, addr.Next()) || node.Status().Held {
		t.Error("something is left of a Claim that failed")
	}
	if err := node.Ended(t); !errors.Is(err, vip.ErrClosed) {
		t.Errorf("Run over a closed wire: %v; want ErrClosed", err)
	}
}

func noCarrier(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Claim(t.Context()))
	must(t, a.SetCarrier(false))
	node.Await(t, vip.LinkDown)
	if !node.Status().Held || !Has(t, a, addr) {
		t.Error("the loss of the carrier alone ended the claim")
	}
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrNoCarrier) {
		t.Errorf("Claim: %v; want ErrNoCarrier", err)
	}
	if node.Status().Held || Has(t, a, addr) {
		t.Error("something is left of a Claim that failed")
	}
	must(t, a.SetCarrier(true))
	node.Await(t, vip.LinkUp)
	must(t, node.Claim(t.Context()))
}

func takeover(t *testing.T, n Net, addr netip.Addr) {
	a, b, client := n.Host(), n.Host(), n.Host()
	first := Start(t, a, holding(addr))
	second := Start(t, b, holding(addr))
	must(t, first.Claim(t.Context()))
	Eventually(t, "the client sends to a", func() bool { return PointsAt(t, client, addr, a) })

	// a vanishes from the segment; the client has asked for it this very moment.
	must(t, client.Forget(addr))
	Eventually(t, "the client sends to a", func() bool { return PointsAt(t, client, addr, a) })
	must(t, a.SetCarrier(false))
	t.Cleanup(func() { must(t, a.SetCarrier(true)) })
	must(t, second.Claim(t.Context()))
	Eventually(t, "the client sends to b", func() bool { return PointsAt(t, client, addr, b) })
}

func leaseEnds(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, vip.Config{Addrs: []netip.Addr{addr}, Lease: time.Second})
	must(t, node.Claim(t.Context()))
	must(t, node.Kill())
	// Linux counts a lease as over 20 ms before its end.
	if has := Has(t, a, addr); !has && time.Since(node.Status().Renewed) < 900*time.Millisecond {
		t.Fatal("Run released the address when it ended")
	}
	Eventually(t, "the kernel takes the address away", func() bool { return !Has(t, a, addr) })
}

func leaseRenewed(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Claim(t.Context()))
	first := node.Status()
	Eventually(t, "the lease is renewed", func() bool { return node.Status().Renewed.Sub(first.Renewed) > 2*time.Second })
	st, err := node.Link.State(t.Context())
	must(t, err)
	i := slices.IndexFunc(st.Addrs, func(on vip.Address) bool { return on.Prefix.Addr() == addr })
	if i < 0 {
		t.Fatal("the address is gone")
	}
	// The kernel counts in seconds, rounded down.
	if unrenewed := longLease - time.Since(first.Renewed); st.Addrs[i].Lease < unrenewed {
		t.Errorf("the kernel has %v left, no more than without renewal (%v)", st.Addrs[i].Lease, unrenewed)
	}
	if now := node.Status(); !now.Held || !now.Since.Equal(first.Since) {
		t.Errorf("the address did not stay: held since %v, then since %v", first.Since, now.Since)
	}
}

func deleted(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Claim(t.Context()))
	claimed := node.Status().Renewed
	// What vanishes between a look and the renewal that follows it comes back unseen.
	Eventually(t, "the next renewal is some time away", func() bool { return node.Status().Renewed.After(claimed) })
	before := node.Status().Announced
	must(t, a.DelAddr(netip.PrefixFrom(addr, addr.BitLen())))
	if ev := node.Await(t, vip.Lost); ev.Addr != addr || ev.Count < 1 {
		t.Errorf("event %+v; want one about %s", ev, addr)
	}
	if !Has(t, a, addr) {
		t.Error("reported, but not put back")
	}
	Eventually(t, "it is announced anew", func() bool { return node.Status().Announced > before })
	Eventually(t, "the client sends to the claimant", func() bool { return PointsAt(t, client, addr, a) })
}

func probed(t *testing.T, n Net, addr netip.Addr) {
	a, b := n.Host(), n.Host()
	first := Start(t, a, holding(addr.Next(), addr))
	second := Start(t, b, holding(addr))
	if owner, err := second.Probe(t.Context()); owner != nil || err != nil {
		t.Errorf("Probe of what nobody has: %v, %v", owner, err)
	}
	must(t, first.Claim(t.Context()))
	if owner, err := second.Probe(t.Context()); err != nil || !slices.Equal(owner, a.Interface().MAC) {
		t.Errorf("Probe: %v, %v; want %v", owner, err, a.Interface().MAC)
	}
	if owner, err := first.Probe(t.Context()); owner != nil || err != nil {
		t.Errorf("the owner's own Probe: %v, %v; want nobody else", owner, err)
	}
	must(t, first.Release(t.Context()))
	if owner, err := second.Probe(t.Context()); owner != nil || err != nil {
		t.Errorf("Probe of what was released: %v, %v", owner, err)
	}
	must(t, second.Kill())
	if _, err := second.Probe(t.Context()); !errors.Is(err, vip.ErrClosed) {
		t.Errorf("Probe after Run has ended: %v; want ErrClosed, for silence means nothing", err)
	}
}

func conflict(t *testing.T, n Net, addr netip.Addr) {
	a, foe, client := n.Host(), n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Claim(t.Context()))
	Eventually(t, "the client sends to the claimant", func() bool { return PointsAt(t, client, addr, a) })
	shout(t, foe, addr)
	if ev := node.Await(t, vip.Conflict); ev.Addr != addr || ev.Peer || !slices.Equal(ev.By, foe.Interface().MAC) {
		t.Errorf("event %+v; want %s claimed by %v, not a peer", ev, addr, foe.Interface().MAC)
	}
	Eventually(t, "the client sends to the claimant again", func() bool { return PointsAt(t, client, addr, a) })
}

func peerClaims(t *testing.T, n Net, addr netip.Addr) {
	a, peer := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	node.SetPeers([]net.HardwareAddr{peer.Interface().MAC})
	must(t, node.Claim(t.Context()))
	shout(t, peer, addr)
	if ev := node.Await(t, vip.Conflict); !ev.Peer {
		t.Errorf("event %+v; want a peer's", ev)
	}
}

// shout announces addr from a host that does not have it.
func shout(t *testing.T, h Host, addr netip.Addr) {
	t.Helper()
	wire, err := h.OpenWire()
	must(t, err)
	defer wire.Close()
	must(t, wire.Announce(t.Context(), addr))
}

func carrier(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	must(t, node.Claim(t.Context()))
	Eventually(t, "Run has seen the carrier", func() bool { return node.Status().Carrier })
	must(t, a.SetCarrier(false))
	node.Await(t, vip.LinkDown)
	if node.Status().Carrier {
		t.Error("status says that the carrier is there")
	}
	before := node.Status().Announced
	must(t, a.SetCarrier(true))
	node.Await(t, vip.LinkUp)
	Eventually(t, "it is announced anew", func() bool { return node.Status().Announced > before })
	Eventually(t, "the client sends to the claimant", func() bool { return PointsAt(t, client, addr, a) })
}

func stale(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	killed := Start(t, a, holding(addr))
	must(t, killed.Claim(t.Context()))
	must(t, killed.Kill())
	if !Has(t, a, addr) {
		t.Fatal("nothing was left over: this test proves nothing")
	}
	node := Start(t, a, holding(addr))
	Eventually(t, "the stale address is removed", func() bool { return !Has(t, a, addr) })
	if node.Status().Held {
		t.Error("what was removed counts as held")
	}
}

func adopted(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	killed := Start(t, a, holding(addr))
	must(t, killed.Claim(t.Context()))
	must(t, killed.Kill())
	cfg := holding(addr)
	cfg.Adopt = true
	node := Start(t, a, cfg)
	Eventually(t, "it counts as held", func() bool { return node.Status().Held })
	if !Has(t, a, addr) {
		t.Error("adopted, but not there")
	}
	if got := node.Status().Announced; got != 0 {
		t.Errorf("announced %d times without being asked", got)
	}
	must(t, node.Claim(t.Context()))
	if got := node.Status().Announced; got == 0 {
		t.Error("not announced by Claim")
	}
}

func notOurs(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	p := netip.PrefixFrom(addr, addr.BitLen())
	must(t, a.AddAddr(p))
	t.Cleanup(func() { must(t, a.DelAddr(p)) })
	node := Start(t, a, holding(addr))
	if err := node.Ended(t); !errors.Is(err, vip.ErrNotOurs) {
		t.Errorf("Run: %v; want ErrNotOurs", err)
	}
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrNotOurs) {
		t.Errorf("Claim: %v; want ErrNotOurs", err)
	}
	if !Has(t, a, addr) {
		t.Error("the address of something else was removed")
	}
}

func announceRefused(t *testing.T, n Net, addr netip.Addr) {
	node := Start(t, n.Host(), holding(addr))
	if err := node.Announce(t.Context()); !errors.Is(err, vip.ErrNotClaimed) {
		t.Errorf("Announce before Claim: %v; want ErrNotClaimed", err)
	}
	must(t, node.Claim(t.Context()))
	before := node.Status().Announced
	must(t, node.Announce(t.Context()))
	if node.Status().Announced == before {
		t.Error("nothing was sent")
	}
	must(t, node.Release(t.Context()))
	if err := node.Announce(t.Context()); !errors.Is(err, vip.ErrNotClaimed) {
		t.Errorf("Announce after Release: %v; want ErrNotClaimed", err)
	}
}

func closedUnder(t *testing.T, n Net, addr netip.Addr) {
	node := Start(t, n.Host(), holding(addr))
	if owner, err := node.Probe(t.Context()); owner != nil || err != nil { // Run is under way now
		t.Errorf("Probe: %v, %v", owner, err)
	}
	must(t, node.Link.Close())
	if err := node.Ended(t); !errors.Is(err, vip.ErrClosed) {
		t.Errorf("Run: %v; want ErrClosed", err)
	}
}
