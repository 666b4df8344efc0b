package vip

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// muteKernel puts Config.Muter in force, once, and notes by which means each family of
// the group is held. It needs begin.
func (c *Claimer) muteKernel(ctx context.Context) error {
	c.mu.Lock()
	muted := c.muted
	c.mu.Unlock()
	if muted {
		return nil
	}
	if c.cfg.Muter != nil {
		if err := c.cfg.Muter.Mute(ctx); err != nil {
			return err
		}
	}
	state := c.muting()
	for _, a := range c.cfg.Addrs {
		if m := state.of(a); !m.InForce && c.cfg.Muter != nil {
			c.log.Warn("the kernel cannot be muted here: lease only", "vip", a, "err", m.Err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = true
	for _, a := range c.cfg.Addrs {
		family := &c.st.IPv6
		if a.Is4() {
			family = &c.st.IPv4
		}
		family.Mode = ModeLease
		if state.of(a).InForce {
			family.Mode = ModeKeeper
		}
		if c.cfg.Mover != nil {
			family.Mode = ModeHook
		}
	}
	return nil
}

var errNoMuter = errors.New("no muter is configured")

// muting is the state of Config.Muter.
func (c *Claimer) muting() MuteState {
	if c.cfg.Muter == nil {
		return MuteState{IPv4: Muting{Err: errNoMuter}, IPv6: Muting{Err: errNoMuter}}
	}
	return c.cfg.Muter.State()
}

// Mute stops announcing the addresses and answering for them, and keeps everything else:
// they stay on the interface with their lease renewed, and connections to them go on.
// After it has returned nothing more is said, and who else claims them is no Conflict. It
// is for a node that drains, or is cut off. It returns [ErrNotClaimed] unless the group is
// held, and [ErrLeaseOnly] where the kernel answers, or [ErrMover]: then only Release makes
// this node silent. Twice is no error.
func (c *Claimer) Mute(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: mute: %w", err)
	}
	defer c.end()
	if !c.holds(time.Now()) {
		return fmt.Errorf("vip: mute: %w", ErrNotClaimed)
	}
	if c.cfg.Mover != nil {
		return fmt.Errorf("vip: mute: %w", ErrMover)
	}
	c.mu.Lock()
	mute := c.muteLocked()
	c.mu.Unlock()
	if !mute {
		return fmt.Errorf("vip: mute: %w", ErrLeaseOnly)
	}
	c.becomeQuiet()
	c.log.Info("muted", "vip", c.cfg.Addrs)
	return nil
}

// Resume undoes Mute, and what adoption begins with: it announces each address and
// begins to answer. On an error the group stays held and quiet. It returns
// [ErrNotClaimed] unless the group is held.
func (c *Claimer) Resume(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: resume: %w", err)
	}
	defer c.end()
	if !c.holds(time.Now()) {
		return fmt.Errorf("vip: resume: %w", ErrNotClaimed)
	}
	if err := c.announceAll(ctx); err != nil {
		return fmt.Errorf("vip: resume: %w", err)
	}
	c.becomeLoud()
	c.log.Info("resumed", "vip", c.cfg.Addrs)
	return nil
}

// Unmute lets the kernel answer again for these addresses, should they be on an
// interface. It is the last step of an orderly end, after Release and after Run has
// returned; it refuses while something is held. Without Config.Muter it does nothing.
func (c *Claimer) Unmute(ctx context.Context) error {
	if c.cfg.Muter == nil {
		return nil
	}
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: unmute: %w", err)
	}
	defer c.end()
	if _, held := c.heldSince(); held {
		return errors.New("vip: unmute: the addresses are held; release them first")
	}
	if err := c.cfg.Muter.Unmute(ctx); err != nil {
		return fmt.Errorf("vip: unmute: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = false
	return nil
}
