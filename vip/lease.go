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
	c.renewedLocked(asked)
	c.schedule = startSchedule(now).sent(now)
	c.nudge()
}

// becomeAdopted is becomeHeld without announcements.
func (c *Claimer) becomeAdopted(asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Held, c.st.Since = true, asked
	c.renewedLocked(asked)
}

// becomeIdle notes that nothing is held, and reports whether something was.
func (c *Claimer) becomeIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.st.Held
	if was {
		c.st.Held, c.st.Since = false, time.Now()
	}
	c.st.LeaseUntil = time.Time{}
	c.schedule = schedule{}
	return was
}

// renewed notes the kernel's acknowledgement of a renewal asked for at that time.
func (c *Claimer) renewed(asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewedLocked(asked)
}

func (c *Claimer) renewedLocked(asked time.Time) {
	c.st.Renewed = asked
	c.st.LeaseUntil = asked.Add(c.cfg.Lease)
	c.st.Err = nil
}

// holds reports whether the group is held and its lease good at now.
func (c *Claimer) holds(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.Held && now.Before(c.st.LeaseUntil)
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
