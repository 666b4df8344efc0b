package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// MaxAddrs is the greatest number of addresses in one group.
const MaxAddrs = 16

// Bounds and default of Config.Lease.
const (
	DefaultLease = 2 * time.Second
	MutedLease   = 60 * time.Second // default where the kernel is mute
	MinLease     = 1 * time.Second
	MaxLease     = 1 * time.Hour
	MaxDrain     = 25 * time.Hour // of Drain
)

// Config says what a Claimer holds, and how.
type Config struct {
	// Addrs is the group, 1 to MaxAddrs distinct unicast addresses, which move as
	// one. IPv4 and IPv6 may be mixed.
	Addrs []netip.Addr

	// Muter keeps the kernel silent about the addresses, and makes the Claimer answer
	// for them. Without one, or where it cannot, the kernel answers for what is on the
	// interface, and the short lease is all that makes a dead owner let go. Run puts it
	// in force before anything else; the caller closes it.
	Muter Muter

	// Mover, if it is given, moves the addresses in place of ARP and NDP: nothing is
	// announced, answered for, probed or defended. The addresses stand on the interface
	// all the same, while they are held.
	Mover Mover

	// Gate is asked immediately before each frame that speaks for the addresses is
	// sent: answers, announcements, defences; and before the Mover claims. triggered is when the kernel received the
	// frame that caused it, zero when a schedule or a caller did. Nil is always open.
	// It must not block, nor call the Claimer. [Gate] has one.
	Gate func(triggered time.Time) bool

	// Lease is how long the kernel keeps an address that is not renewed: whole
	// seconds (netlink counts in them), MinLease to MaxLease. Zero means DefaultLease,
	// renewed four times within its length and at least every 500 ms; and where the
	// kernel is mute MutedLease, renewed six times within its length: there it is a
	// broom for what a crash left, not the fence. Linux removes an address up to 0.3 s
	// after its lease has run out.
	Lease time.Duration

	// Adopt makes Run take over addresses left on the interface by an earlier run,
	// if the whole group is there: they count as claimed and are renewed, but not
	// announced before Claim is called, nor answered for where the kernel is mute.
	// Without it Run removes them.
	Adopt bool
}

// Mover is told where the addresses are to be by whoever routes them: it is for networks
// that do not heed ARP, such as a cloud's, whose API assigns floating addresses. One call
// is made at a time. Each must end when its context does, and bound itself in time.
type Mover interface {
	// Claim moves the addresses here, from wherever they are. Twice is no error. After an
	// error they may be here all the same; whoever claims them next moves them again.
	Claim(ctx context.Context) error
	// Release takes them from here; from elsewhere, if another node has claimed them
	// meanwhile, it must not. Twice is no error.
	Release(ctx context.Context) error
}

// withDefaults returns the checked configuration, or every mistake at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if len(c.Addrs) < 1 || len(c.Addrs) > MaxAddrs {
		errs = append(errs, fmt.Errorf("a group has 1 to %d addresses, not %d", MaxAddrs, len(c.Addrs)))
	}
	seen := make(map[netip.Addr]bool)
	addrs := make([]netip.Addr, 0, len(c.Addrs))
	for _, a := range c.Addrs {
		a = a.Unmap()
		switch {
		case !a.IsValid():
			errs = append(errs, errors.New("an address of the group is empty"))
		case a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == broadcast4:
			errs = append(errs, fmt.Errorf("%s cannot be a VIP: it must be a plain unicast address", a))
		case seen[a]:
			errs = append(errs, fmt.Errorf("%s is in the group twice", a))
		}
		seen[a] = true
		addrs = append(addrs, a)
	}
	c.Addrs = addrs
	if c.Gate == nil {
		c.Gate = func(time.Time) bool { return true }
	}
	if c.Lease != 0 && (c.Lease < MinLease || c.Lease > MaxLease || c.Lease%time.Second != 0) {
		errs = append(errs, fmt.Errorf("lease %v: want whole seconds from %v to %v", c.Lease, MinLease, MaxLease))
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, fmt.Errorf("vip: %w", err)
	}
	return c, nil
}

var broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})
