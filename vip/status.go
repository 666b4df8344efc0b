package vip

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// Status is what a Claimer knows of itself. It is a snapshot.
type Status struct {
	Held       bool
	Quiet      bool         // held, but neither announced nor answered for: see Mute
	Addrs      []netip.Addr // the group, held or not
	Since      time.Time    // of the last change of Held; zero before the first
	Renewed    time.Time    // last renewal of the whole group which the kernel acknowledged
	LeaseUntil time.Time    // without another renewal the addresses go then; zero when not held
	Announced  uint64       // announcements sent, of all addresses, ever
	Answered   uint64       // questions answered
	Flooded    uint64       // questions not answered because there were too many in one second
	Refused    uint64       // frames which the gate did not let out; Gate.Refused says why
	IPv4, IPv6 FamilyStatus // who answers; settled when Run or Claim begins
	Carrier    bool         // as last seen by Run
	Missed     uint64       // frames dropped because this node read too slowly
	Err        error        // why the last renewal or announcement failed; nil when it did not
}

// FamilyStatus says who answers for the addresses of one family.
type FamilyStatus struct {
	Mode Mode
	// Muting: with ModeKeeper, whether the table is there now; with ModeLease, Err is
	// why it is not.
	Muting
}

// Status returns a snapshot. It never waits for an operation.
func (c *Claimer) Status() Status {
	muting := c.muting()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.st
	st.Addrs = slices.Clone(st.Addrs)
	if st.IPv4.Mode != ModeNone {
		st.IPv4.Muting = muting.IPv4
	}
	if st.IPv6.Mode != ModeNone {
		st.IPv6.Muting = muting.IPv6
	}
	return st
}

// noteTrouble keeps the error for Status, and logs the first of a row.
func (c *Claimer) noteTrouble(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	first := c.st.Err == nil
	c.st.Err = err
	c.mu.Unlock()
	if first {
		c.log.Warn("keeping the addresses", "vip", c.cfg.Addrs, "err", err)
	}
}

func (c *Claimer) noteMissed(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.st.Missed += n
}
