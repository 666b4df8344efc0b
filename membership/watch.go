package membership

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Constants of an agent's watch.
const (
	watchInterval = 300 * time.Millisecond // between two looks at the balancers; in a crowd they are further apart:
	watchShare    = 5 * time.Millisecond   // per member, so that all balancers together are asked 200 times in a second
	maxWatched    = 8                      // balancers that are asked, chosen at random where there are more
	watchLate     = 200 * time.Millisecond // who waited for that long beyond the time was itself held up
)

// watch asks one of the balancers that are there, again and again, whether it lives. If it does not answer, all are
// asked, and who does not answer then is silent, of which the rejoin loop is told. Agents do so beside memberlist's
// probes, which go to one member after the other and are rare among hundreds: to an app it matters much whether it is in
// touch with a balancer, and little who else is there. It returns when ctx has ended.
func (c *Cluster) watch(ctx context.Context) {
	for ctx.Err() == nil {
		balancers, members := c.watched()
		pause(ctx, jitter(max(watchInterval, time.Duration(members)*watchShare)))
		if len(balancers) == 0 || c.look(ctx, balancers[0], false) {
			continue
		}
		var wg sync.WaitGroup
		for _, b := range balancers {
			wg.Go(func() { c.look(ctx, b, true) })
		}
		wg.Wait()
	}
}

// place is where a run of a member gossips.
type place struct {
	wire string
	addr netip.AddrPort
}

// watched returns up to maxWatched of the balancers that are there, in random order, and how many members are.
func (c *Cluster) watched() (balancers []place, members int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for wire, r := range c.table.runs { // in random order
		if r.said.meta.Role == RoleBalancer && r.present() && len(balancers) < maxWatched {
			balancers = append(balancers, place{wire, r.addr})
		}
	}
	return balancers, len(c.table.runs)
}

// look reports whether a balancer answers, and notes it; last says that it is silent if it does not. Nothing is noted of
// it if this process was itself held up: a machine that starts hundreds of apps at once does that to them, and each
// would ask for the whole state anew.
func (c *Cluster) look(ctx context.Context, b place, last bool) (answers bool) {
	asked := time.Now()
	answer := make(chan error, 1)
	go func() { // which ends by itself, as memberlist's own probes do: it knows no context
		_, err := c.ml.Ping(b.wire, net.UDPAddrFromAddrPort(b.addr))
		answer <- err
	}()
	select {
	case err := <-answer:
		switch {
		case err == nil:
			c.answered(b.wire)
			return true
		case last && time.Since(asked) < agentProbeTimeout+watchLate:
			c.suspected(b.wire)
		}
	case <-ctx.Done():
	}
	return false
}
