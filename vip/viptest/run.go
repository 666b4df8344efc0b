package viptest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// Net is a segment on which stations can be had, simulated or real.
type Net interface {
	// Host returns another station, at most three times; all see each other.
	Host() Host
}

// Host is one station: what a Claimer needs there, and what others do to it.
type Host interface {
	Interface() vip.Interface
	// OpenLink and OpenWire open new ones; the caller closes them.
	OpenLink() (vip.Link, error)
	OpenWire() (vip.Wire, error)
	OpenMuter(group string, addrs ...netip.Addr) (vip.Muter, error)

	// Addrs lists what is on the interface now, asked of the kernel.
	Addrs() ([]netip.Prefix, error)
	// AddAddr and DelAddr are the doing of another program on this host.
	AddAddr(p netip.Prefix) error
	DelAddr(p netip.Prefix) error
	// SetCarrier pulls the cable and plugs it back.
	SetCarrier(up bool) error

	// Resolve returns where the host sends what is meant for addr, asking the
	// segment if its neighbour cache does not know; nil if nobody answers soon.
	Resolve(addr netip.Addr) (net.HardwareAddr, error)
	// Forget removes addr from the neighbour cache.
	Forget(addr netip.Addr) error
}

// patience bounds every wait for a condition. It is a watchdog for the busiest
// machine, not a promise.
const patience = 20 * time.Second

// Eventually waits for the condition, which is tried every millisecond, and fails
// the test when it does not come.
func Eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// Node is a Claimer at work on a Host.
type Node struct {
	*vip.Claimer
	Host Host
	Link vip.Link
	Wire vip.Wire

	muter  vip.Muter // nil: none
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run; valid when ended is closed

	mu  sync.Mutex // protects got
	got []vip.Event
}

// Muted is the configuration of a group about which the host's kernel is mute.
func Muted(t *testing.T, h Host, addrs ...netip.Addr) vip.Config {
	t.Helper()
	m, err := h.OpenMuter("table", addrs...)
	must(t, err)
	return vip.Config{Addrs: addrs, Muter: m}
}

// Start runs a Claimer on the host until the test ends or Kill. It closes the Muter.
func Start(t *testing.T, h Host, cfg vip.Config) *Node {
	t.Helper()
	link, err := h.OpenLink()
	must(t, err)
	wire, err := h.OpenWire()
	must(t, err)
	c, err := vip.NewClaimer(cfg, link, wire, slog.New(slog.NewTextHandler(t.Output(), nil)))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{Claimer: c, Host: h, Link: link, Wire: wire, muter: cfg.Muter, cancel: cancel, ended: make(chan struct{})}
	go func() {
		for ev := range c.Events() {
			n.mu.Lock()
			n.got = append(n.got, ev)
			n.mu.Unlock()
		}
	}()
	go func() {
		defer close(n.ended)
		n.err = c.Run(ctx)
	}()
	t.Cleanup(func() {
		n.Kill()
		if err := c.Release(context.Background()); err != nil && !errors.Is(err, vip.ErrClosed) {
			t.Error(err)
		}
		n.closeMuter(t)
		must(t, link.Close())
		must(t, wire.Close())
	})
	return n
}

// Kill ends Run without Release, as SIGKILL would, and returns what Run returned.
func (n *Node) Kill() error {
	n.cancel()
	<-n.ended
	return n.err
}

// Crash is Kill, and what the kernel does to the sockets of a process that has died.
func (n *Node) Crash(t *testing.T) {
	t.Helper()
	n.Kill()
	n.closeMuter(t)
}

func (n *Node) closeMuter(t *testing.T) {
	t.Helper()
	if n.muter != nil {
		must(t, n.muter.Close())
	}
}

// Ended waits until Run has ended by itself, and returns what it returned.
func (n *Node) Ended(t *testing.T) error {
	t.Helper()
	select {
	case <-n.ended:
	case <-time.After(patience):
		t.Fatalf("Run did not end within %v", patience)
	}
	return n.err
}

// Events returns the events of a kind that came so far.
func (n *Node) Events(kind vip.EventKind) []vip.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.got), func(ev vip.Event) bool { return ev.Kind != kind })
}

// Await waits for an event of a kind, and returns the first.
func (n *Node) Await(t *testing.T, kind vip.EventKind) vip.Event {
	t.Helper()
	Eventually(t, "event "+kind.String(), func() bool { return len(n.Events(kind)) > 0 })
	return n.Events(kind)[0]
}

// Has reports whether the address stands on the host's interface as a VIP does.
func Has(t *testing.T, h Host, addr netip.Addr) bool {
	t.Helper()
	have, err := h.Addrs()
	must(t, err)
	return slices.Contains(have, netip.PrefixFrom(addr, addr.BitLen()))
}

// Answers returns the hardware address of a station that answers the host's probe for
// addr, or nil if none does within vip.ProbeTime.
func Answers(t *testing.T, from Host, addr netip.Addr) net.HardwareAddr {
	t.Helper()
	wire, err := from.OpenWire()
	must(t, err)
	defer wire.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- wire.Run(ctx) }()
	owner, err := wire.Probe(ctx, addr)
	must(t, err)
	cancel()
	must(t, <-ended)
	return owner
}

// PointsAt reports whether from sends what is meant for addr to the host.
func PointsAt(t *testing.T, from Host, addr netip.Addr, to Host) bool {
	t.Helper()
	mac, err := from.Resolve(addr)
	must(t, err)
	return slices.Equal(mac, to.Interface().MAC)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
