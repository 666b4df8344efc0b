package vip

import (
	"context"
	"fmt"
	"time"
)

// Drain is Mute for a node whose connections to the addresses are to end, while another one
// holds them: should this process die, the kernel keeps them until lasts has passed. lasts is
// cut to whole seconds, MinLease to MaxDrain. Claim ends
// it, and so does Release. Errors are Mute's.
func (c *Claimer) Drain(ctx context.Context, lasts time.Duration) error {
	if err := c.Mute(ctx); err != nil {
		return err
	}
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("vip: drain: %w", err)
	}
	defer c.end()
	asked := time.Now()
	c.mu.Lock()
	if !c.st.Held || !c.st.Quiet { // something else came in between
		c.mu.Unlock()
		return fmt.Errorf("vip: drain: %w", ErrNotClaimed)
	}
	c.drainUntil = asked.Add(min(max(lasts, MinLease), MaxDrain))
	c.mu.Unlock()
	if err := c.addAll(ctx); err != nil {
		return fmt.Errorf("vip: drain: %w", err)
	}
	c.renewed(asked)
	return nil
}

// drainLease is what is left of a drain at now, in whole seconds, one at least.
func (c *Claimer) drainLease(now time.Time) time.Duration {
	return max(MinLease, c.drainUntil.Sub(now).Truncate(time.Second))
}
