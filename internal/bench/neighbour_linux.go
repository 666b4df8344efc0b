package main

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// cachePoll is how often the client's ARP cache is looked at.
const cachePoll = 5 * time.Millisecond

// A cache watches which host the client's kernel takes for the VIP's owner.
type cache struct {
	read func() (net.HardwareAddr, error) // nil: no entry, or an unfinished one
	name func(net.HardwareAddr) string
	now  func() time.Duration

	mu    sync.Mutex // protects looks
	looks []look
}

// A look is what the cache said at a time; host is empty when it named none.
type look struct {
	at   time.Duration
	host string
}

// newCache watches the client's.
func (s *site) newCache() *cache {
	names := map[string]string{}
	for _, n := range s.lbs {
		names[n.host.MAC().String()] = n.name
	}
	return &cache{
		now:  s.log.Now,
		read: func() (net.HardwareAddr, error) { return s.client.Neighbour(vip) },
		name: func(mac net.HardwareAddr) string {
			if mac == nil {
				return ""
			}
			if name, ok := names[mac.String()]; ok {
				return name
			}
			return mac.String()
		},
	}
}

// run looks until ctx ends.
func (c *cache) run(ctx context.Context) error {
	tick := time.NewTicker(cachePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		mac, err := c.read()
		if err != nil {
			continue // the cache may change faster than it is read; the next look is 5 ms away
		}
		c.add(look{c.now(), c.name(mac)})
	}
}

// looksMax bounds what a cache keeps: five minutes.
const looksMax = 1 << 16

func (c *cache) add(l look) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.looks) >= looksMax {
		c.looks = append(c.looks[:0], c.looks[looksMax/8:]...)
	}
	c.looks = append(c.looks, l)
}

// turns are the looks at which the cache said something new, for those who read logs.
func (c *cache) turns() []look {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.CompactFunc(slices.Clone(c.looks), func(a, b look) bool { return a.host == b.host })
}

// besideMax is how far from a look a host may have been seen to own the VIP, for the look
// to be right: owners are seen every 5 ms.
const besideMax = 3 * cachePoll

// wrong is for how long, from the one time to the other, the cache pointed at a host that
// did not own the VIP. owned tells whether a host did, and whether anybody asked at all.
func (c *cache) wrong(from, to time.Duration, owned func(host string, w owners.Window) (owner, asked bool)) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum time.Duration
	for i, l := range c.looks {
		if l.at < from || l.at >= to || l.host == "" {
			continue
		}
		next := to
		if i+1 < len(c.looks) {
			next = min(next, c.looks[i+1].at)
		}
		owner, asked := owned(l.host, owners.Window{From: l.at - besideMax, To: l.at + besideMax})
		if asked && !owner {
			sum += next - l.at
		}
	}
	return sum
}
