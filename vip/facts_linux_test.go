package vip_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// What only the real kernel can show.

func kernelHosts(t testing.TB, n int) []*kernelHost {
	t.Helper()
	lab.Need(t)
	kn := newKernelNet(t)
	var hosts []*kernelHost
	for range n {
		hosts = append(hosts, kn.host())
	}
	return hosts
}

func TestAnOverflowOfTheNetlinkSocketIsReported(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 1)[0]
	link, err := h.OpenLink()
	check(t, err)
	defer link.Close()
	for range 2000 { // the socket's buffer holds a few hundred notifications
		check(t, link.Add(t.Context(), onIface, time.Second))
		check(t, link.Del(t.Context(), onIface))
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := link.Watch(ctx)
	check(t, err)
	await := func(change vip.LinkChange) {
		t.Helper()
		for ev := range changes {
			if ev.Change == change {
				return
			}
		}
		t.Fatalf("the watch ended without change %d", change)
	}
	await(vip.EventsMissed)
	check(t, link.Add(ctx, onIface, time.Second)) // it goes on after that
	check(t, link.Del(ctx, onIface))
	await(vip.AddrGone)
	cancel()
	for range changes { // ends
	}
	if _, err := link.Watch(t.Context()); err == nil {
		t.Error("a second Watch is no error")
	}
}

func TestTheNodeDoesNotChooseAVIPAsItsSource(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 2)[0] // the second is the destination
	node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{viptest.VIP4, viptest.VIP6}, Lease: time.Minute})
	check(t, node.Claim(t.Context()))
	for _, to := range []string{"10.77.0.2", "fd77::2"} {
		check(t, a.Do(func() error {
			conn, err := net.Dial("udp", net.JoinHostPort(to, "9"))
			if err != nil {
				return err
			}
			defer conn.Close()
			src := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
			if src == viptest.VIP4 || src == viptest.VIP6 {
				t.Errorf("to %s the node speaks as %s", to, src)
			}
			return nil
		}))
	}
}

func TestTheKernelHoldsAVIPDeprecatedAndAloneInItsSubnet(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 1)[0]
	link, err := a.OpenLink()
	check(t, err)
	defer link.Close()
	for _, addr := range []netip.Addr{viptest.VIP4, viptest.VIP6} {
		p := netip.PrefixFrom(addr, addr.BitLen())
		for range 2 { // when renewed as well
			check(t, link.Add(t.Context(), p, time.Minute))
			on := a.kernelAddr(t, p)
			if on.PreferedLft != 0 || on.ValidLft < 1 || on.ValidLft > 60 || on.Flags&unix.IFA_F_DEPRECATED == 0 {
				t.Errorf("%s: preferred_lft %d, valid_lft %d, flags %#x", p, on.PreferedLft, on.ValidLft, on.Flags)
			}
			if on.Flags&unix.IFA_F_TENTATIVE != 0 {
				t.Errorf("%s is not usable at once: flags %#x", p, on.Flags)
			}
		}
	}
}

// kernelAddr returns the address as the kernel describes it.
func (h *kernelHost) kernelAddr(t *testing.T, p netip.Prefix) (found netlink.Addr) {
	t.Helper()
	check(t, h.Do(func() error {
		list, err := netlink.AddrList(h.device(), netlink.FAMILY_ALL)
		for _, a := range list {
			if a.Equal(*kernelAddr(p)) {
				found = a
				return err
			}
		}
		return errors.Join(err, errors.New(p.String()+" is not there"))
	}))
	return found
}

func TestAnInterfaceTakenDownAndUpHoldsItsAddressesAgain(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, client := h[0], h[1]
	all := []netip.Addr{viptest.VIP4, viptest.VIP6}
	node := viptest.Start(t, a, vip.Config{Addrs: all, Lease: time.Minute})
	check(t, node.Claim(t.Context()))
	check(t, a.Do(func() error { return netlink.LinkSetDown(a.device()) })) // the kernel forgets IPv6
	node.Await(t, vip.LinkDown)
	check(t, a.Do(func() error { return netlink.LinkSetUp(a.device()) }))
	node.Await(t, vip.LinkUp)
	for _, addr := range all {
		viptest.Eventually(t, addr.String()+" is there and found", func() bool {
			return viptest.Has(t, a, addr) && viptest.PointsAt(t, client, addr, a)
		})
	}
}

func TestRunEndsWhenTheInterfaceIsGone(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 1)[0]
	node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
	check(t, node.Claim(t.Context()))
	check(t, a.Do(func() error { return netlink.LinkDel(a.device()) }))
	if err := node.Ended(t); !errors.Is(err, vip.ErrNoInterface) || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("Run: %v; want ErrNoInterface and the name", err)
	}
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrNoInterface) {
		t.Errorf("Claim: %v; want ErrNoInterface", err)
	}
}

func TestIPv6SwitchedOffIsAnErrorThatNamesTheSysctl(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 1)[0]
	check(t, a.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0)
	}))
	node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP, viptest.VIP6}})
	err := node.Claim(t.Context())
	if err == nil || !strings.Contains(err.Error(), "net.ipv6.conf.eth0.disable_ipv6") {
		t.Errorf("Claim: %v; want one that names the sysctl", err)
	}
	if viptest.Has(t, a, theVIP) {
		t.Error("half of the group is left")
	}
}

func TestAFrameTellsWhenItArrivedHoweverLongItWaited(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, b := h[0], h[1]
	from, err := b.OpenWire()
	check(t, err)
	defer from.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	early := running(t, ctx, a)
	// The kernel begins to stamp frames a moment after somebody first asked for it.
	viptest.Eventually(t, "a frame says when it arrived, though it was read later", func() bool {
		late, err := a.OpenWire()
		check(t, err)
		defer late.Close()
		before := time.Now()
		check(t, from.Announce(ctx, theVIP))
		hear(t, early)
		arrived := time.Now()
		go late.Run(ctx) // ends with Close
		f := hear(t, late)
		return !f.At.Before(before) && !f.At.After(arrived)
	})
}

// running opens a wire on the host and runs it until ctx ends.
func running(t *testing.T, ctx context.Context, h *kernelHost) vip.Wire {
	t.Helper()
	w, err := h.OpenWire()
	check(t, err)
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		check(t, <-ended)
		if err := w.Run(t.Context()); err == nil {
			t.Error("a second Run is no error")
		}
		check(t, w.Close())
	})
	return w
}

// hear waits for the claim of theVIP among what else goes over the wire.
func hear(t *testing.T, w vip.Wire) vip.Frame {
	t.Helper()
	for f := range w.Heard() {
		if f.Owner == theVIP {
			return f
		}
	}
	panic("unreachable: Heard is never closed")
}

func TestAProbeBeforeRunWaitsAndDoesNotSayNobody(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 1)[0]
	w, err := a.OpenWire()
	check(t, err)
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if owner, err := w.Probe(ctx, theVIP); owner != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Probe: %v, %v; want an error", owner, err)
	}
}

// BenchmarkClaimAndRelease measures what a takeover waits for, and its undoing.
func BenchmarkClaimAndRelease(b *testing.B) {
	h := kernelHosts(b, 1)[0]
	link, err := h.OpenLink()
	check(b, err)
	defer link.Close()
	wire, err := h.OpenWire()
	check(b, err)
	defer wire.Close()
	c, err := vip.NewClaimer(vip.Config{Addrs: []netip.Addr{theVIP}}, link, wire, nil)
	check(b, err)
	var claims time.Duration
	for b.Loop() {
		start := time.Now()
		check(b, c.Claim(b.Context()))
		claims += time.Since(start)
		check(b, c.Release(b.Context()))
	}
	b.ReportMetric(float64(claims.Nanoseconds())/float64(b.N), "ns/claim")
}

// The kernel's news bring a deleted address back, not the look every half second, which would
// take nearly as long here: the address goes just after one. Of five tries the best counts, since
// a busy machine is late with everything.
func TestADeletedAddressIsBackWithinMilliseconds(t *testing.T) {
	t.Parallel()
	for _, addr := range bothVIPs {
		a := kernelHosts(t, 1)[0]
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{addr}}) // renewed at each look
		check(t, node.Claim(t.Context()))
		best := time.Hour
		for range 5 {
			before := node.Status().Renewed
			viptest.Eventually(t, "a look", func() bool { return node.Status().Renewed.After(before) })
			deleted := time.Now()
			check(t, a.DelAddr(netip.PrefixFrom(addr, addr.BitLen())))
			viptest.Eventually(t, "the address is back", func() bool { return viptest.Has(t, a, addr) })
			best = min(best, time.Since(deleted))
		}
		t.Logf("%s was back after %v at best", addr, best)
		if best > 100*time.Millisecond {
			t.Errorf("%s was back only after %v", addr, best)
		}
	}
}
