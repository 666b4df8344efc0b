package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// maxAddrs is how many addresses of one name are tried at a time.
const maxAddrs = 32

// Join tries each of the seeds (as in Config.Seeds) now and returns nil if one of them is there. They are not kept.
// ErrWrongKey tells that one answered under another key.
func (c *Cluster) Join(ctx context.Context, seeds ...string) error {
	select {
	case <-c.left:
		return ErrClosed
	default:
	}
	results := make(chan error, len(seeds))
	var errs []error
	running := 0
	for _, text := range seeds {
		s, err := parseSeed(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !c.work(func() { results <- c.joinSeed(ctx, s, new(atomic.Bool)) }) {
			return ErrClosed
		}
		running++
	}
	for range running {
		select {
		case err := <-results:
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return ErrClosed
		}
	}
	return errors.Join(errs...)
}

// joinSeed tries all addresses of one seed, one after the other, and returns nil if somebody is there, or is known to
// be. errOnlySelf says that there is nobody but this node. connected tells, also meanwhile, whether somebody has taken
// the connection to the last address tried.
func (c *Cluster) joinSeed(ctx context.Context, s seed, connected *atomic.Bool) error {
	resolving, cancel := context.WithTimeout(ctx, streamTimeout)
	addrs, err := s.addrs(resolving, c.cfg.Resolve)
	cancel()
	if err != nil {
		return err
	}
	if len(addrs) > maxAddrs {
		addrs = addrs[:maxAddrs]
	}
	errs := []error{}
	reached := false
	known := c.places(addrs...)
	for _, addr := range addrs {
		if c.isSelf(addr) {
			continue
		}
		if known.settled(addr) && !slices.Contains(known.unmet, addr) {
			reached = true
			continue
		}
		if err := c.joinAddr(ctx, addr, connected); err != nil {
			errs = append(errs, err)
			continue
		}
		reached = true
	}
	if reached {
		return nil
	}
	if len(errs) == 0 {
		return errOnlySelf
	}
	return errors.Join(errs...)
}

// errOnlySelf says that all addresses of a seed are this node's own.
var errOnlySelf = errors.New("membership: the seed is this node itself")

// joinAddr exchanges the whole state with whoever is at addr. memberlist knows no context; streamTimeout bounds it.
func (c *Cluster) joinAddr(ctx context.Context, addr netip.AddrPort, connected *atomic.Bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	connected.Store(false)
	name := c.attempts.begin(connected)
	defer c.attempts.end(name)
	_, err := c.ml.Join([]string{name + "/" + addr.String()})
	if err == nil {
		if !c.met(addr) {
			c.findBehind(ctx, addr)
		}
		return nil
	}
	if isKeyError(err.Error()) {
		return fmt.Errorf("%w: %v: give both the same gossip key", ErrWrongKey, addr)
	}
	return fmt.Errorf("membership: %v does not answer: %w", addr, err)
}

// isKeyError tells from memberlist's words (it has no other way) that the keys of both sides differ.
func isKeyError(text string) bool {
	text = strings.ToLower(text)
	for _, words := range []string{
		"no installed keys could decrypt",
		"encryption is not configured",
		"remote state is not encrypted",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// isSelf reports whether who talks to addr would talk to this node. A VIP that this node holds is such an address too.
func (c *Cluster) isSelf(addr netip.AddrPort) bool {
	if addr == c.addr {
		return true
	}
	if c.cfg.Transport != nil || addr.Port() != c.addr.Port() || !c.cfg.Bind.Addr().IsUnspecified() {
		return false
	}
	own, err := hostAddrs()
	if err != nil {
		return false
	}
	for _, p := range own {
		if p.Addr() == addr.Addr() {
			return true
		}
	}
	return false
}

// probe reports whether the run wire answers at addr now.
func (c *Cluster) probe(ctx context.Context, wire string, addr netip.AddrPort) bool {
	for range 3 {
		if ctx.Err() != nil {
			return false
		}
		if _, err := c.ml.Ping(wire, net.UDPAddrFromAddrPort(addr)); err == nil {
			return true
		}
		pause(ctx, probeTimeout) // a failed write returns at once
	}
	return false
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
