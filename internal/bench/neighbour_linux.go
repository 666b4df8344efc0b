package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// cachePoll is how often the client's ARP cache is looked at.
const cachePoll = 5 * time.Millisecond

// A cache watches which host the client's kernel takes for the VIP's owner.
type cache struct {
	read  func() (net.HardwareAddr, error) // nil: no entry, or an unfinished one
	name  func(net.HardwareAddr) string
	now   func() time.Duration
	close func()

	mu    sync.Mutex // protects looks
	looks []look
}

// A look is what the cache said at a time; host is empty when it named none.
type look struct {
	at   time.Duration
	host string
}

// newCache opens the client's cache. Run closes it.
func (s *site) newCache() (*cache, error) {
	var h *netlink.Handle
	var index int
	err := s.client.Do(func() (err error) {
		if h, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			h.Close()
			return err
		}
		index = ifi.Index
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the client's ARP cache: %w", err)
	}
	names := map[string]string{}
	for _, n := range s.lbs {
		names[n.host.MAC().String()] = n.name
	}
	return &cache{
		now:   s.log.Now,
		close: h.Close,
		read:  func() (net.HardwareAddr, error) { return entry(h, index) },
		name: func(mac net.HardwareAddr) string {
			if mac == nil {
				return ""
			}
			if name, ok := names[mac.String()]; ok {
				return name
			}
			return mac.String()
		},
	}, nil
}

// entry is where the kernel sends what is for the VIP.
func entry(h *netlink.Handle, index int) (net.HardwareAddr, error) {
	list, err := h.NeighList(index, netlink.FAMILY_V4)
	if err != nil {
		return nil, err
	}
	const usable = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE
	for _, n := range list {
		if n.IP.Equal(net.IP(vip.AsSlice())) && n.State&usable != 0 {
			return n.HardwareAddr, nil
		}
	}
	return nil, nil
}

// run looks until ctx ends.
func (c *cache) run(ctx context.Context) error {
	defer c.close()
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
			continue // a dump may be interrupted by a change; the next look is 5 ms away
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
