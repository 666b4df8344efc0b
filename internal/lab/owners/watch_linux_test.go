package owners_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

const ms = time.Millisecond

var vip = netip.MustParsePrefix("192.168.42.42/32")

// scene is a client and the hosts a and b, watched.
type scene struct {
	*testing.T
	client, a, b *lab.Host
	watch        *owners.Watch
	now          func() time.Duration
}

func stage(t *testing.T) *scene {
	t.Helper()
	lab.Need(t)
	l, err := lab.New(lab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	zero := time.Now()
	s := &scene{T: t, now: func() time.Duration { return time.Since(zero) }}
	for i, h := range []**lab.Host{&s.client, &s.a, &s.b} {
		addr := netip.MustParsePrefix(fmt.Sprintf("192.168.42.%d/24", 10+i))
		if *h, err = l.Host([]string{"client", "a", "b"}[i], addr); err != nil {
			t.Fatal(err)
		}
	}
	s.watch, err = owners.New(owners.Config{
		VIP: vip.Addr(), Sender: netip.MustParseAddr("192.168.42.250"),
		Eye: s.client, Hosts: []owners.Host{s.a, s.b}, Now: s.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return s.watch.Run(ctx) })
	g.Go(func() error { return s.watch.Follow(ctx, s.a) })
	g.Go(func() error { return s.watch.Follow(ctx, s.b) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// in runs fn in a host.
func (s *scene) in(h *lab.Host, fn func() error) {
	s.Helper()
	if err := h.Do(fn); err != nil {
		s.Fatal(err)
	}
}

// give and take move the VIP by hand, as `ip addr add` and `del` would.
func (s *scene) give(h *lab.Host) {
	s.Helper()
	s.in(h, func() error { return change(netlink.AddrAdd) })
}

func (s *scene) take(h *lab.Host) {
	s.Helper()
	s.in(h, func() error { return change(netlink.AddrDel) })
}

func change(do func(netlink.Link, *netlink.Addr) error) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(vip.String())
	if err != nil {
		return err
	}
	return do(link, addr)
}

// until waits for cond over the time since it was called.
func (s *scene) until(what string, cond func(owners.Window) bool) {
	s.Helper()
	from := s.now()
	for {
		w := owners.Window{From: from, To: s.now()}
		if cond(w) {
			return
		}
		if w.To-w.From > 15*time.Second {
			s.Fatalf("waited in vain for %s: %+v", what, s.watch.Report(w))
		}
		time.Sleep(5 * ms)
	}
}

func (s *scene) untilSole(want string) {
	s.Helper()
	s.until(want+" to be the one owner", func(w owners.Window) bool {
		host, ok := s.watch.Sole(owners.Window{From: w.To - 50*ms, To: w.To})
		return ok && host == want
	})
}

func TestAMoveByHandIsSeenAsOneOwnerAfterTheOther(t *testing.T) {
	s := stage(t)
	s.until("requests", func(w owners.Window) bool { return s.watch.Report(w).Probes > 20 })
	if r := s.watch.Report(owners.Window{From: 0, To: s.now()}); r.Max != 0 {
		t.Errorf("nobody has the address yet: %+v", r)
	}
	s.give(s.a)
	s.untilSole("a")
	from := s.now()
	s.take(s.a)
	s.give(s.b)
	s.untilSole("b")
	r := s.watch.Report(owners.Window{From: from - 100*ms, To: s.now()})
	if r.Max != 1 || !slices.Equal(r.Hosts, []string{"a", "b"}) {
		t.Errorf("got %+v, want one owner at a time, a and then b", r)
	}
	if s.watch.Has("a") || !s.watch.Has("b") {
		t.Error("the kernels' news have not arrived")
	}
}

func TestTwoHostsThatBothHoldTheAddressAreTwoOwners(t *testing.T) {
	s := stage(t)
	s.give(s.a)
	s.untilSole("a")
	s.give(s.b)
	s.until("two owners", func(w owners.Window) bool { return s.watch.Report(w).Max == 2 })
	if _, ok := s.watch.Sole(owners.Window{From: s.now() - 20*ms, To: s.now()}); ok {
		t.Error("one of two passes for the only one")
	}
	s.take(s.a)
	s.untilSole("b")
}

func TestAHostThatHasTheAddressButIsSilentIsNoOwner(t *testing.T) {
	s := stage(t)
	s.give(s.a)
	s.in(s.b, func() error { // 8: answer for no local address (Documentation/networking/ip-sysctl.rst)
		return os.WriteFile("/proc/sys/net/ipv4/conf/eth0/arp_ignore", []byte("8"), 0)
	})
	s.give(s.b)
	s.until("b to have it", func(owners.Window) bool { return s.watch.Has("b") })
	s.until("thirty requests", func(w owners.Window) bool { return s.watch.Report(w).Probes >= 30 })
	s.untilSole("a")
	if r := s.watch.Report(owners.Window{From: 0, To: s.now()}); r.Max != 1 || !slices.Equal(r.Hosts, []string{"a"}) {
		t.Errorf("got %+v, want a alone", r)
	}
}

func TestAHostWithoutPowerOwnsNothing(t *testing.T) {
	s := stage(t)
	s.give(s.a)
	s.untilSole("a")
	if err := s.a.PowerOff(); err != nil {
		t.Fatal(err)
	}
	s.until("nobody to own it", func(w owners.Window) bool {
		r := s.watch.Report(w)
		return r.Max == 0 && r.Probes >= 30
	})
}

func TestWatchingDoesNotTellTheClientWhereTheAddressIs(t *testing.T) {
	s := stage(t)
	s.give(s.a)
	s.untilSole("a")
	s.in(s.client, func() error {
		list, err := netlink.NeighList(0, netlink.FAMILY_V4)
		for _, n := range list {
			if n.IP.Equal(vip.Addr().AsSlice()) {
				t.Errorf("the client's ARP cache learnt it from the watcher: %v", n)
			}
		}
		return err
	})
}
