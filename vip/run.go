package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run keeps what is claimed until ctx ends, and then returns nil. It may be called
// once. First of all it makes the kernel mute (Config.Muter); then it removes what an
// earlier run left on the interface, or adopts it (Config.Adopt). It releases nothing
// when it ends: call Release and Unmute for an orderly end, or let the lease run out.
//
// It fails when the group's addresses belong to something else on this node
// ([ErrNotOurs]), when the interface is gone ([ErrNoInterface]), and when link or
// wire were closed under it ([ErrClosed]).
func (c *Claimer) Run(ctx context.Context) error {
	if c.ran.Swap(true) {
		return errors.New("vip: Run was called twice")
	}
	defer close(c.events)
	err := c.startClean(ctx)
	if err == nil {
		err = c.keep(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("vip: run: %w", err)
}

// keep runs the parts of Run until ctx ends or one of them fails.
func (c *Claimer) keep(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	changes, err := c.link.Watch(ctx)
	if err != nil {
		return err
	}
	g.Go(func() error { return c.wire.Run(ctx) })
	if c.cfg.Muter != nil {
		g.Go(func() error { return c.cfg.Muter.Run(ctx) })
	}
	l := &listener{Claimer: c, claims: make(chan Frame, claimsQueue)}
	g.Go(func() error { return l.listen(ctx) })
	k := &keeping{Claimer: c, claims: l.claims, carrier: true, defended: make(map[netip.Addr]time.Time)}
	g.Go(func() error { return k.loop(ctx, changes) })
	err = g.Wait()
	for range changes { // until the watch has ended as well
	}
	return err
}

// startClean handles the addresses of an earlier run that was killed.
func (c *Claimer) startClean(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	defer c.end()
	if _, held := c.heldSince(); held {
		return nil // Claim came first
	}
	if err := c.muteKernel(ctx); err != nil {
		return err
	}
	asked := time.Now()
	st, err := c.link.State(ctx)
	if err != nil {
		return err
	}
	stale, err := c.leftovers(st)
	if err != nil || len(stale) == 0 {
		return err
	}
	if c.cfg.Adopt && len(stale) == len(c.cfg.Addrs) {
		if err := c.addAll(ctx); err != nil {
			return err
		}
		c.becomeAdopted(asked)
		c.log.Info("adopted the addresses of an earlier run", "vip", stale)
		return nil
	}
	c.log.Warn("removing the addresses of an earlier run", "vip", stale)
	return c.delAll(ctx)
}

// leftovers returns the addresses of the group that an earlier Claim put on the
// interface. An address of the group that is there in any other way is [ErrNotOurs]:
// ours stand alone in their subnet and have a lease.
func (c *Claimer) leftovers(st LinkState) ([]netip.Addr, error) {
	var ours []netip.Addr
	for _, a := range st.Addrs {
		if !slices.Contains(c.cfg.Addrs, a.Prefix.Addr()) {
			continue
		}
		if a.Lease == 0 || !a.Prefix.IsSingleIP() {
			return nil, fmt.Errorf("%w: the interface has %s for good; choose another VIP, or stop what sets it and remove it (ip address del %s dev …)",
				ErrNotOurs, a.Prefix, a.Prefix)
		}
		ours = append(ours, a.Prefix.Addr())
	}
	return ours, nil
}
