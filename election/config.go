package election

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Bounds and defaults.
const (
	MinAdvertInterval     = 5 * time.Millisecond
	MaxAdvertInterval     = 10 * time.Second
	DefaultAdvertInterval = 20 * time.Millisecond

	DefaultPriority = 100 // RFC 9568, 5.2.4
	MaxPriority     = 254 // 255 is VRRP's address owner, which does not exist here; 0 means yield

	DefaultSettleTimeout = 3 * time.Second
	DefaultAnswerTimeout = 3 * time.Second
	DefaultRetryInterval = 1 * time.Second
	DefaultHoldDown      = 10 * time.Second
	DefaultDrainDeadline = 5 * time.Minute
	DefaultDrainLinger   = 2 * time.Second
	DefaultNewFor        = 5 * time.Second

	maxDrainDeadline = 24 * time.Hour

	MaxNameLen = 63 // bytes of a node's or group's name, as for a DNS label
	MaxPeers   = 32 // nodes a machine remembers beside itself
)

// Config describes one VIP group on one node. Zero values take the defaults; New checks the rest.
type Config struct {
	Group string // name of the VIP group, 1 to MaxNameLen bytes, the same on all nodes
	Node  string // this node's name, 1 to MaxNameLen bytes, different on each node

	Boot uint64     // random per start of the keeper, never 0: tells a restarted node from the one before
	Addr netip.Addr // this node's own address; breaks ties between equals, the higher wins (RFC 9568, 6.4.3)

	Priority       uint8         // 1 to MaxPriority, default DefaultPriority; the higher is preferred among equally fit nodes
	AdvertInterval time.Duration // MinAdvertInterval to MaxAdvertInterval, default DefaultAdvertInterval

	// Preempt makes an active yield to a peer that is clearly better (fitness bucket, then priority; never
	// the address alone) once it has been so for HoldDown. Default false: who is active stays active, unless a
	// peer could serve clearly better by its fitness.
	Preempt bool

	SettleTimeout time.Duration // a cold start waits at most this long for SeedsTried; 1 ms to 1 min, default 3 s
	AnswerTimeout time.Duration // a Probe, Claim or Release unanswered for so long has failed; 10 ms to 1 min, default 3 s
	RetryInterval time.Duration // a Fault is tried again after this; 10 ms to 1 h, default 1 s
	HoldDown      time.Duration // between two preemptions, at least; 10 ms to 1 h, default 10 s
	DrainDeadline time.Duration // what a handover leaves on the old active is cut after this; 10 ms to 24 h, default 5 min
	DrainLinger   time.Duration // a drain lasts at least this long, for clients with old ARP entries; 1 ms to 1 min, default 2 s
	NewFor        time.Duration // an active heard for less than this has no history, and is given time (E13); at most 1 min, default 5 s; negative: nobody is
}

// withDefaults returns c with defaults in place of zero values.
func (c Config) withDefaults() Config {
	if c.Priority == 0 {
		c.Priority = DefaultPriority
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.AdvertInterval, DefaultAdvertInterval},
		{&c.SettleTimeout, DefaultSettleTimeout},
		{&c.AnswerTimeout, DefaultAnswerTimeout},
		{&c.RetryInterval, DefaultRetryInterval},
		{&c.HoldDown, DefaultHoldDown},
		{&c.DrainDeadline, DefaultDrainDeadline},
		{&c.DrainLinger, DefaultDrainLinger},
		{&c.NewFor, DefaultNewFor},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}

// check returns every fault of c joined in one error, or nil.
func (c Config) check() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	for _, n := range []struct{ field, value string }{{"Group", c.Group}, {"Node", c.Node}} {
		if n.value == "" || len(n.value) > MaxNameLen {
			fault("%s %q: want a name of 1 to %d bytes", n.field, n.value, MaxNameLen)
		}
	}
	if c.Boot == 0 {
		fault("Boot 0: want a random number made at start")
	}
	if !c.Addr.IsValid() || c.Addr.IsUnspecified() {
		fault("Addr %v: want this node's own address", c.Addr)
	}
	if c.Priority > MaxPriority {
		fault("Priority %d: want 1 to %d", c.Priority, MaxPriority)
	}
	for _, d := range []struct {
		field           string
		value, min, max time.Duration
	}{
		{"AdvertInterval", c.AdvertInterval, MinAdvertInterval, MaxAdvertInterval},
		{"SettleTimeout", c.SettleTimeout, time.Millisecond, time.Minute},
		{"AnswerTimeout", c.AnswerTimeout, 10 * time.Millisecond, time.Minute},
		{"RetryInterval", c.RetryInterval, 10 * time.Millisecond, time.Hour},
		{"HoldDown", c.HoldDown, 10 * time.Millisecond, time.Hour},
		{"DrainDeadline", c.DrainDeadline, 10 * time.Millisecond, maxDrainDeadline},
		{"DrainLinger", c.DrainLinger, time.Millisecond, time.Minute},
		{"NewFor", max(c.NewFor, 0), 0, time.Minute},
	} {
		if d.value < d.min || d.value > d.max {
			fault("%s %v: want %v to %v", d.field, d.value, d.min, d.max)
		}
	}
	return errors.Join(errs...)
}

// configure takes over what is within its bounds. A new priority is in the next advert.
func (m *Machine) configure(ev Configured) {
	cfg := m.cfg
	cfg.Priority, cfg.Preempt, cfg.DrainDeadline = ev.Priority, ev.Preempt, ev.DrainDeadline
	if cfg.check() == nil {
		m.cfg = cfg
	}
}
