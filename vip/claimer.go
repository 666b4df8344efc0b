package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Claimer holds a group of addresses, or does not.
//
//	         Claim, or Run with Adopt
//	idle ─────────────────────────────► held
//	  ▲                                   │
//	  └───────────────────────────────────┘
//	   Release, a failed Claim, the lease expired
//
// All methods may be called from any goroutine. Claim, Release and Announce work
// whether Run runs or not; without it nobody renews the lease.
type Claimer struct {
	cfg  Config
	link Link
	wire Wire
	log  *slog.Logger

	op        chan struct{} // held by the one operation that touches link and wire
	wake      chan struct{} // tells Run that its timers have changed
	beat      chan struct{} // asks the listener for a sign of life
	listening chan struct{} // closed when the listener begins
	events    chan Event    // sent and closed by Run
	ran       atomic.Bool

	stations stations
	sending  chan struct{} // held by the listener while it answers

	askMu sync.Mutex
	asked map[*pending]bool // Resolves that wait

	mu sync.Mutex // protects what follows; never held across a system call
	st Status
	// schedule of the announcements; stopped unless held.
	schedule schedule
	peers    []net.HardwareAddr
	muted    bool      // Muter was asked, and st.IPv4.Mode and st.IPv6.Mode are valid
	beaten   time.Time // the listener's last sign of life
	// drainUntil is when the kernel lets go of what drains; zero: nothing does.
	drainUntil time.Time
}

// NewClaimer returns an idle Claimer, or every mistake in cfg at once. It starts
// nothing and touches nothing. The caller keeps link and wire and closes them after
// Run has returned and the last Release is done. A nil log discards.
func NewClaimer(cfg Config, link Link, wire Wire, log *slog.Logger) (*Claimer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Claimer{
		cfg:       cfg,
		link:      link,
		wire:      wire,
		log:       log,
		op:        make(chan struct{}, 1),
		wake:      make(chan struct{}, 1),
		beat:      make(chan struct{}, 1),
		listening: make(chan struct{}),
		events:    make(chan Event),
		asked:     make(map[*pending]bool),
		sending:   make(chan struct{}, 1),
		st:        Status{Addrs: cfg.Addrs},
	}, nil
}

// Events returns the news, in order of their subjects, while Run runs; then it is
// closed, and what was not read by then is gone. A slow reader loses nothing: see
// Event.Count.
func (c *Claimer) Events() <-chan Event { return c.events }

// SetPeers names the hardware addresses of the other balancers, the whole list.
// Their claims are reported as conflicts with Peer set, and never defended
// against: who is right is for the election to say.
func (c *Claimer) SetPeers(macs []net.HardwareAddr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers = slices.Clone(macs)
}

// Claim puts every address of the group on the interface, then announces each
// once, and returns; Run repeats the announcements. On any error everything is
// taken back and nothing is held, not even what an earlier Claim had achieved.
// Claiming what is held extends the lease and announces anew. Errors to branch on:
// [ErrNoCarrier], [ErrNotOurs], [ErrNoInterface], [ErrClosed], [ErrGateShut].
func (c *Claimer) Claim(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: claim: %w", err)
	}
	defer c.end()
	asked := time.Now()
	if err := c.claim(ctx); err != nil {
		return fmt.Errorf("vip: claim: %w", errors.Join(err, c.takeBack(ctx)))
	}
	c.becomeHeld(asked)
	c.log.Info("claimed", "vip", c.cfg.Addrs, "took", time.Since(asked))
	return nil
}

func (c *Claimer) claim(ctx context.Context) error {
	if err := c.muteKernel(ctx); err != nil {
		return err
	}
	if err := c.claimable(ctx); err != nil {
		return err
	}
	if err := c.addAll(ctx); err != nil {
		return err
	}
	if c.cfg.Mover == nil {
		return c.announceAll(ctx)
	}
	if !c.pass(time.Time{}) {
		return fmt.Errorf("having the addresses routed here: %w", ErrGateShut)
	}
	return c.cfg.Mover.Claim(ctx)
}

// claimable reports whether a Claim can be whole. Without carrier the kernel would
// take the address, and drop the announcement with an error at first (ENOBUFS) and
// without one later. What stands in the way is left alone.
func (c *Claimer) claimable(ctx context.Context) error {
	st, err := c.link.State(ctx)
	if err != nil {
		return err
	}
	if !st.Carrier {
		return ErrNoCarrier
	}
	_, err = c.leftovers(st)
	return err
}

// takeBack makes nothing be held. Where nothing was, it removes only what is ours.
func (c *Claimer) takeBack(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if c.becomeIdle() {
		err := c.delAll(ctx)
		if c.cfg.Mover != nil {
			err = errors.Join(err, c.cfg.Mover.Release(ctx))
		}
		return err
	}
	if st, err := c.link.State(ctx); err == nil {
		if ours, _ := c.leftovers(st); len(ours) == 0 {
			return nil
		}
	}
	return c.delAll(ctx)
}

// Release takes every address off the interface and stops the announcements, at
// once and whatever the state. Since it is what a dying process does last, it
// ignores that ctx was cancelled; the kernel bounds it, to about a second for each
// address at worst, and a Mover itself. Releasing what is not held is no error, and removes what an
// earlier run left.
func (c *Claimer) Release(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: release: %w", err)
	}
	defer c.end()
	_, held := c.heldSince()
	if err := c.takeBack(ctx); err != nil {
		return fmt.Errorf("vip: release: %w; the lease ends it within %v", err, c.lease())
	}
	if held {
		c.log.Info("released", "vip", c.cfg.Addrs)
	}
	return nil
}

// Announce announces every address now and begins the schedule anew. It returns
// [ErrNotClaimed] unless the group is held and not quiet, and [ErrGateShut].
func (c *Claimer) Announce(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: announce: %w", err)
	}
	defer c.end()
	now := time.Now()
	if !c.speaks(now) {
		return fmt.Errorf("vip: announce: %w", ErrNotClaimed)
	}
	c.restartSchedule(now)
	if err := c.announceAll(ctx); err != nil {
		return fmt.Errorf("vip: announce: %w", err)
	}
	return nil
}

// Probe asks the segment who else has the addresses of the group, all at the same
// time. It returns the hardware address of one owner, or nil when nobody answered
// for any of them within [ProbeTime]. It needs Run to run, and waits for it. With a Mover
// it asks nobody.
func (c *Claimer) Probe(ctx context.Context) (owner net.HardwareAddr, err error) {
	if c.cfg.Mover != nil {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		owner net.HardwareAddr
		err   error
	}
	answers := make(chan answer, len(c.cfg.Addrs))
	for _, a := range c.cfg.Addrs {
		go func() {
			owner, err := c.wire.Probe(ctx, a)
			answers <- answer{owner, err}
		}()
	}
	var errs []error
	for range c.cfg.Addrs {
		got := <-answers
		switch {
		case owner != nil: // the others are being cancelled
		case got.owner != nil:
			owner = got.owner
			cancel()
		case got.err != nil:
			errs = append(errs, got.err)
		}
	}
	if owner != nil {
		return owner, nil
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("vip: probe: %w", err)
	}
	return nil, nil
}

// begin waits for the right to use link and wire. If that is free it is granted
// even when ctx has ended.
func (c *Claimer) begin(ctx context.Context) error {
	select {
	case c.op <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.op <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another operation: %w", ctx.Err())
	}
}

func (c *Claimer) end() { <-c.op }

// The following need begin.

func (c *Claimer) addAll(ctx context.Context) error {
	for _, a := range c.cfg.Addrs {
		if err := c.link.Add(ctx, hostPrefix(a), c.lease()); err != nil {
			return err
		}
	}
	return nil
}

// delAll tries each address, even if ctx was cancelled.
func (c *Claimer) delAll(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, a := range c.cfg.Addrs {
		errs = append(errs, c.link.Del(ctx, hostPrefix(a)))
	}
	return errors.Join(errs...)
}

// announceAll tries each address and counts. Where a Mover has them routed there is nobody to tell.
func (c *Claimer) announceAll(ctx context.Context) error {
	if c.cfg.Mover != nil {
		return nil
	}
	var errs []error
	for _, a := range c.cfg.Addrs {
		errs = append(errs, c.announce(ctx, a, time.Time{}))
	}
	return errors.Join(errs...)
}

// announce sends one announcement, if the gate is open.
func (c *Claimer) announce(ctx context.Context, addr netip.Addr, triggered time.Time) error {
	if !c.pass(triggered) {
		return fmt.Errorf("announcing %s: %w", addr, ErrGateShut)
	}
	err := c.wire.Announce(ctx, addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.st.Announced++
	}
	return err
}

// pass asks the gate, and counts when it refuses. Nothing may come between it and the
// write: a process that is paused there speaks once more on waking.
func (c *Claimer) pass(triggered time.Time) bool {
	if c.cfg.Gate(triggered) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Refused++
	return false
}

// hostPrefix is the address as it stands on the interface: alone in its subnet, so
// that it brings no route and no other address depends on it.
func hostPrefix(a netip.Addr) netip.Prefix {
	return netip.PrefixFrom(a, a.BitLen())
}
