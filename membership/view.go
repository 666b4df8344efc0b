package membership

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Members returns everybody known, sorted by name, this node included. Failed members are kept for a day and left
// ones for an hour, of both together at most 1024, the oldest dropped first.
func (c *Cluster) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.expire(time.Now())
	return c.table.members()
}

// Self returns this node as others see it.
func (c *Cluster) Self() Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table.entries[c.cfg.Name].shown
}

// Events delivers what happens, in order, this node's own join first. None is lost: while nobody receives, they wait
// in a queue. When 8192 wait, only the newest event of each member is kept (and its newest conflict), so the queue is
// bounded by the number of members; Stats counts that. The channel is closed when Run returns.
func (c *Cluster) Events() <-chan Event { return c.events }

// Messages delivers what others sent with Send, in the order of arrival. 256 wait at most; what comes when nobody
// receives is dropped and counted in Stats. The channel is closed when Run returns.
func (c *Cluster) Messages() <-chan Message { return c.messages }

// SeedsTried is closed when Run has tried each seed once, or 3 s after Run began. (A balancer's cold start waits for it.)
func (c *Cluster) SeedsTried() <-chan struct{} { return c.tried }

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.MergedEvents = c.queue.merged
	return s
}

// places are the addresses that the rejoin loop has to know of.
type places struct {
	members         int                     // that are there, this node included
	present         map[netip.AddrPort]bool // somebody is there, of those that were asked for and those that failed
	balancers       int                     // balancers that are there, without this node
	sure            int                     // those of them that have answered this node's last probe
	silent          []netip.AddrPort        // the others
	unmet           []netip.AddrPort        // those of them with which this node has not exchanged the state
	failed          []netip.AddrPort        // somebody failed there, and nobody is there now
	failedBalancers []netip.AddrPort        // those of them that were balancers
}

// settled reports whether a member is at addr and nothing speaks against it.
func (p places) settled(addr netip.AddrPort) bool {
	return p.present[addr] && !slices.Contains(p.silent, addr)
}

// places looks at everybody; whether somebody is at an address, it says of those in of alone.
func (c *Cluster) places(of ...netip.AddrPort) places {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.expire(time.Now())
	p := places{present: make(map[netip.AddrPort]bool)}
	for _, addr := range of {
		p.present[addr] = false
	}
	for _, e := range c.table.entries {
		if e.shown.State == StateFailed {
			p.present[netip.AddrPortFrom(e.shown.Addr, e.shown.Port)] = false
		}
	}
	for _, r := range c.table.runs {
		if !r.present() {
			continue
		}
		p.members++
		if _, asked := p.present[r.addr]; asked {
			p.present[r.addr] = true
		}
		if r.said.meta.Role != RoleBalancer || r.wire == c.wire {
			continue
		}
		p.balancers++
		switch {
		case r.suspect:
			p.silent = append(p.silent, r.addr)
		case !r.met:
			p.unmet = append(p.unmet, r.addr)
			p.sure++
		default:
			p.sure++
		}
	}
	for _, e := range c.table.entries {
		addr := netip.AddrPortFrom(e.shown.Addr, e.shown.Port)
		if e.shown.State != StateFailed || p.present[addr] {
			continue
		}
		p.failed = append(p.failed, addr)
		if e.shown.Meta.Role == RoleBalancer {
			p.failedBalancers = append(p.failedBalancers, addr)
		}
	}
	return p
}

// met notes that whoever is at addr has told this node all, and been told all by it, and reports whether anybody is
// known to be there.
func (c *Cluster) met(addr netip.AddrPort) (known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.table.runs {
		if r.addr == addr && r.present() {
			r.met, known = true, true
		}
	}
	return known
}

// findBehind asks the balancers at addr, a VIP, where this node has just met one without learning which: only that one
// answers to its name. Else it would be met again at its own address, which costs both the whole state. It waits for
// behindTime at most.
func (c *Cluster) findBehind(ctx context.Context, addr netip.AddrPort) {
	ctx, found := context.WithTimeout(ctx, behindTime)
	balancers, _ := c.watched()
	for _, b := range balancers {
		go func() { // which ends by itself, as memberlist's own probes do
			if _, err := c.ml.Ping(b.wire, net.UDPAddrFromAddrPort(addr)); err == nil {
				c.met(b.addr)
				found()
			}
		}()
	}
	<-ctx.Done()
	found()
}

// behindTime is as much as an answer from the network may take that an agent is near to.
const behindTime = 50 * time.Millisecond
