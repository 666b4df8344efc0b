package vip_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// recorder is a Mover that notes what it is asked for, and whether the addresses were on
// the interface then.
type recorder struct {
	t     *testing.T
	on    *kernelHost
	mu    sync.Mutex // protects what follows
	err   error
	calls []string
}

func (r *recorder) note(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, addr := range bothVIPs {
		if !viptest.Has(r.t, r.on, addr) {
			what += " without " + addr.String()
		}
	}
	r.calls = append(r.calls, what)
	return r.err
}

func (r *recorder) Claim(context.Context) error   { return r.note("claim") }
func (r *recorder) Release(context.Context) error { return r.note("release") }

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// asked returns the calls since the last time.
func (r *recorder) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

func (r *recorder) want(when string, calls ...string) {
	r.t.Helper()
	if got := r.asked(); !slices.Equal(got, calls) {
		r.t.Errorf("%s the mover was asked %q, want %q", when, got, calls)
	}
}

func TestAMoverTakesThePlaceOfARPAndNDP(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, b := h[0], h[1]
	r := &recorder{t: t, on: a}
	cfg := viptest.Muted(t, a, bothVIPs...)
	cfg.Mover = r
	node := viptest.Start(t, a, cfg)
	e := listenFor(t, b, a)
	if owner, err := node.Probe(t.Context()); owner != nil || err != nil {
		t.Errorf("Probe: %v, %v; want nobody, unasked", owner, err)
	}
	check(t, node.Claim(t.Context()))
	r.want("on Claim", "claim")
	if st := node.Status(); !st.Held || st.IPv4.Mode != vip.ModeHook || st.IPv6.Mode != vip.ModeHook {
		t.Errorf("status: %+v; want both held, by hook", st)
	}
	kernelSilent(t, b)
	for _, addr := range bothVIPs {
		shoutAs(t, b, addr)
	}
	check(t, node.Announce(t.Context()))
	check(t, a.DelAddr(netip.PrefixFrom(theVIP, theVIP.BitLen())))
	node.Await(t, vip.Lost) // which would be announced, and comes after the shouts
	if got := node.Events(vip.Conflict); len(got) > 0 {
		t.Errorf("conflicts on a network that does not heed ARP: %+v", got)
	}
	if err := node.Mute(t.Context()); !errors.Is(err, vip.ErrMover) {
		t.Errorf("Mute: %v, want ErrMover", err)
	}
	check(t, node.Release(t.Context()))
	r.want("on Release", "release without 10.77.0.100 without fd77::100")
	check(t, node.Release(t.Context()))
	r.want("on Release of nothing")
	wire, err := b.OpenWire()
	check(t, err)
	defer wire.Close()
	for _, addr := range bothVIPs {
		check(t, wire.Ask(t.Context(), a.ownAddr(t, addr))) // its answer comes after all that was said
		viptest.Eventually(t, "a answers for itself", func() bool {
			return len(e.heard(func(f vip.Frame) bool { return f.Owner == a.ownAddr(t, addr) })) > 0
		})
	}
	if said := e.heard(func(f vip.Frame) bool {
		return slices.Contains(bothVIPs, f.Owner) || slices.Contains(bothVIPs, f.Target)
	}); len(said) > 0 {
		t.Errorf("frames about the VIPs went out: %+v", said)
	}
	if st := node.Status(); st.Announced != 0 || st.Answered != 0 {
		t.Errorf("%d announcements and %d answers are counted", st.Announced, st.Answered)
	}
}

// shoutAs claims addr from a host that does not have it.
func shoutAs(t *testing.T, h *kernelHost, addr netip.Addr) {
	t.Helper()
	wire, err := h.OpenWire()
	check(t, err)
	defer wire.Close()
	check(t, wire.Announce(t.Context(), addr))
}

func TestWhatAMoverRefusesIsTakenBackAndAShutGateComesBeforeIt(t *testing.T) {
	t.Parallel()
	a := kernelHosts(t, 1)[0]
	r := &recorder{t: t, on: a}
	cfg := viptest.Muted(t, a, bothVIPs...)
	gate := vip.NewGate(time.Hour, time.Hour)
	cfg.Mover, cfg.Gate = r, gate.Allow
	node := viptest.Start(t, a, cfg)
	nothing := func(when string) {
		t.Helper()
		if node.Status().Held || viptest.Has(t, a, bothVIPs[0]) || viptest.Has(t, a, bothVIPs[1]) {
			t.Errorf("%s something is held or on the interface", when)
		}
	}
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrGateShut) {
		t.Errorf("Claim behind a closed gate: %v, want ErrGateShut", err)
	}
	r.want("behind a closed gate")
	nothing("behind a closed gate")
	gate.Stamp()
	refused := errors.New("the API is down")
	r.fail(refused)
	if err := node.Claim(t.Context()); !errors.Is(err, refused) {
		t.Errorf("Claim: %v, want the mover's error", err)
	}
	r.want("on Claim", "claim")
	nothing("after a refusal")
	r.fail(nil)
	check(t, node.Claim(t.Context()))
	r.want("again", "claim")
	r.fail(refused)
	if err := node.Release(t.Context()); !errors.Is(err, refused) {
		t.Errorf("Release: %v, want the mover's error", err)
	}
	nothing("after a release that the mover refused")
}
