package vip

import (
	"net"
	"slices"
	"time"
)

// What a Claimer holds, and until when. The lease is counted from before the
// renewal was asked for, so that this node believes in it no longer than the kernel.

// becomeHeld notes that the kernel acknowledged the whole group, asked at that
// time, and that each address was announced once.
func (c *Claimer) becomeHeld(asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now() // what others said before our announcement is no conflict
	if !c.st.Held {
		c.st.Held, c.st.Since = true, now
	}
	c.st.Quiet, c.drainUntil = false, time.Time{}
	c.renewedLocked(asked)
	c.schedule = startSchedule(now).sent(now)
	c.nudge()
}

// becomeAdopted is becomeHeld without announcements; and where that can be, quiet.
func (c *Claimer) becomeAdopted(asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Held, c.st.Since, c.st.Quiet = true, asked, c.muteLocked()
	c.renewedLocked(asked)
}

// becomeIdle notes that nothing is held, and reports whether something was.
func (c *Claimer) becomeIdle() bool {
	defer c.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.st.Held
	if was {
		c.st.Held, c.st.Since = false, time.Now()
	}
	c.st.Quiet, c.st.LeaseUntil, c.drainUntil = false, time.Time{}, time.Time{}
	c.schedule = schedule{}
	return was
}

// becomeQuiet notes that what is held is no longer spoken for.
func (c *Claimer) becomeQuiet() {
	defer c.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Quiet = true
	c.schedule = schedule{}
}

// becomeLoud undoes becomeQuiet, each address having been announced once.
func (c *Claimer) becomeLoud() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Quiet, c.drainUntil = false, time.Time{}
	c.schedule = startSchedule(time.Now()).sent(time.Now())
	c.nudge()
}

// settle waits until an answer under way is out: none is sent after it.
func (c *Claimer) settle() {
	c.sending <- struct{}{}
	<-c.sending
}

// renewed notes the kernel's acknowledgement of a renewal asked for at that time.
func (c *Claimer) renewed(asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewedLocked(asked)
}

func (c *Claimer) renewedLocked(asked time.Time) {
	c.st.Renewed = asked
	c.st.LeaseUntil = asked.Add(c.leaseLocked())
	c.st.Err = nil
}

// holds reports whether the group is held and its lease good at now.
func (c *Claimer) holds(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.Held && now.Before(c.st.LeaseUntil)
}

// speaks reports whether this node announces the group and answers for it at now.
func (c *Claimer) speaks(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.speaksLocked(now)
}

func (c *Claimer) speaksLocked(now time.Time) bool {
	return c.st.Held && !c.st.Quiet && now.Before(c.st.LeaseUntil)
}

// muteLocked reports whether the kernel is mute about the whole group.
func (c *Claimer) muteLocked() bool {
	return c.muted && c.st.IPv4.Mode != ModeLease && c.st.IPv6.Mode != ModeLease
}

// lease is how long the kernel is asked to keep the addresses.
func (c *Claimer) lease() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaseLocked()
}

func (c *Claimer) leaseLocked() time.Duration {
	switch {
	case !c.drainUntil.IsZero():
		return c.drainLease(time.Now())
	case c.cfg.Lease != 0:
		return c.cfg.Lease
	case c.muteLocked():
		return MutedLease
	}
	return DefaultLease
}

// renewal is the interval of renewals.
func (c *Claimer) renewal() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renewalLocked()
}

func (c *Claimer) renewalLocked() time.Duration {
	if c.muteLocked() {
		return c.leaseLocked() / mutedRenewals
	}
	return min(c.leaseLocked()/renewals, lookInterval)
}

// renewalDue reports whether the next renewal is due before then.
func (c *Claimer) renewalDue(then time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return then.After(c.st.Renewed.Add(c.renewalLocked()))
}

// speaksSince returns whether the group is held and spoken for, and since when it is held.
func (c *Claimer) speaksSince() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.Since, c.st.Held && !c.st.Quiet
}

// heldSince returns whether the group is held, and since when.
func (c *Claimer) heldSince() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.Since, c.st.Held
}

// expired reports whether the group counts as held though its lease has run out.
func (c *Claimer) expired(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.Held && !now.Before(c.st.LeaseUntil)
}

// restartSchedule begins the announcements anew, the first of them being sent now.
func (c *Claimer) restartSchedule(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schedule = startSchedule(now).sent(now)
	c.nudge()
}

// postponeAnnouncements begins the schedule anew at that time.
func (c *Claimer) postponeAnnouncements(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.Held && !c.st.Quiet {
		c.schedule = startSchedule(at)
	}
	c.nudge()
}

// announceDue reports whether an announcement is due, and counts it as sent.
func (c *Claimer) announceDue(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.schedule.due(now) {
		return false
	}
	c.schedule = c.schedule.sent(now)
	return true
}

// nextDue returns when Run must look next: at the announcement or the renewal.
func (c *Claimer) nextDue(renew time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := c.schedule.next(); !next.IsZero() && next.Before(renew) {
		return next
	}
	return renew
}

func (c *Claimer) isPeer(mac net.HardwareAddr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.peers, func(p net.HardwareAddr) bool { return slices.Equal(p, mac) })
}

// nudge makes Run read its timers again.
func (c *Claimer) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
