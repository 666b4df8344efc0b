package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

// A crash of the active loses the connections that its proxy had, but their clients need not
// wait for their own timeouts (§9). Whoever holds VIPs tells its peers all the time who its
// clients are; whoever takes over from a node that vanished sends each of them one bare ACK,
// which makes it find out. After a handover or a yield that is not done: those connections
// live on, or were ended in good order; unless the node that drains is lost meanwhile.

const (
	// collectEvery is how often clients are listed. A connection that is shorter is not told
	// of, and its client does not wait long either.
	collectEvery = 250 * time.Millisecond
	// collectBound bounds one list. The kernel takes a few milliseconds.
	collectBound = time.Second
)

// clients is what one group tells of its clients, and knows of those of its peers.
type clients struct {
	group  string
	device string
	vips   []netip.Addr
	gate   *vip.Gate
	log    *slog.Logger

	holds atomic.Bool          // this node has connections of the VIPs
	gone  chan []handover.Flow // whose clients are to be told
	book  handover.Book        // of the peers' connections

	mu    sync.Mutex        // protects what follows
	boots map[string]uint64 // the lives of the peers that the book is about; at most maxPeers
	count ipc.Tickle
}

func newClients(g *group, vips []netip.Addr) *clients {
	return &clients{
		group: g.name, device: g.ifi.Name, vips: vips, gate: g.gate, log: g.log,
		gone: make(chan []handover.Flow, 1), boots: make(map[string]uint64),
	}
}

// tell tells the peers of this node's clients, as long as it has any, until ctx ends.
func (c *clients) tell(ctx context.Context, ch *channel) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	var t telling
	defer t.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := c.tellOnce(ctx, &t, ch); err != nil && ctx.Err() == nil {
			c.log.Debug("the peers are not told of this node's clients", "err", err)
		}
	}
}

// telling is how far the peers have been told.
type telling struct {
	collector *handover.Collector // nil: this node holds nothing
	listeners uint64              // how many there had been
}

func (t *telling) close() {
	if t.collector != nil {
		t.collector.Close()
		t.collector = nil
	}
}

// tellOnce lists the clients, and says what has changed.
func (c *clients) tellOnce(ctx context.Context, t *telling, ch *channel) error {
	held := t.collector != nil
	switch holds := c.holds.Load(); {
	case !holds && held:
		t.close()
		ch.spread(talk{group: c.group, clients: handover.NoClients()})
		c.told(0, 0, 0)
		return nil
	case !holds:
		return nil
	case !held:
		var err error
		if t.collector, err = handover.NewCollector(handover.CollectorConfig{VIPs: c.vips}); err != nil {
			t.collector = nil
			return err
		}
	}
	listening, listeners := ch.listeners()
	if listeners != t.listeners { // a new one knows nothing
		t.listeners = listeners
		t.collector.Reset()
	}
	if listening == 0 {
		return nil
	}
	bound, cancel := context.WithTimeout(ctx, collectBound)
	defer cancel()
	batches, err := t.collector.Collect(bound)
	if err != nil {
		return err
	}
	lost := 0
	for _, b := range batches {
		lost += ch.spread(talk{group: c.group, clients: b})
	}
	if lost > 0 { // changes without what they change say nothing
		t.collector.Reset()
	}
	told, leftOut := t.collector.Known()
	c.told(told, leftOut, lost)
	return nil
}

func (c *clients) told(told, leftOut, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Told, c.count.LeftOut = told, leftOut
	c.count.Lost += uint64(lost)
}

// heard takes in what a peer says of its clients. It may be called from any goroutine.
func (c *clients) heard(node string, boot uint64, batch []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.boots[node]; known != boot {
		if known == 0 && len(c.boots) >= maxPeers {
			return nil
		}
		c.book.Forget(node) // what an earlier life had is gone
		c.boots[node] = boot
	}
	if err := c.book.Apply(node, batch); err != nil {
		return fmt.Errorf("%w: %w", errTalk, err)
	}
	return nil
}

// vanished has the clients of a node told that their connections are gone. ofLife says
// whether that holds for the life of the node that had them.
func (c *clients) vanished(node string, ofLife func(boot uint64) bool) {
	c.mu.Lock()
	boot, known := c.boots[node]
	c.mu.Unlock()
	if !known || !ofLife(boot) {
		return
	}
	select {
	case c.gone <- c.book.Take(node, c.vips):
	default: // others are being told; a node that takes over twice at once has no more to say
	}
}

// fire tells the clients of nodes that are gone, until ctx ends.
func (c *clients) fire(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case flows := <-c.gone:
			if len(flows) > 0 {
				c.fireOnce(ctx, flows)
			}
		}
	}
}

func (c *clients) fireOnce(ctx context.Context, flows []handover.Flow) {
	var done handover.Tickled
	t, err := handover.NewTickler(handover.TicklerConfig{Device: c.device})
	if err == nil {
		done, err = t.Fire(ctx, flows, func() bool { return c.holds.Load() && c.gate.Allow(time.Time{}) })
		err = errors.Join(err, t.Close())
	}
	c.mu.Lock()
	c.count.Sent += uint64(done.Sent)
	c.count.Unsent += uint64(len(flows) - done.Sent)
	c.mu.Unlock()
	if err != nil {
		c.log.Warn("not all clients of the lost node were told to look at their connections", "told", done.Sent, "of", len(flows), "err", err)
		return
	}
	c.log.Info("the clients of the lost node were told to look at their connections", "told", done.Sent, "of", len(flows))
}

// state is what status shows.
func (c *clients) state() ipc.Tickle {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.count
	for node := range c.boots {
		known, dropped := c.book.Known(node)
		out.Known += known
		out.Dropped = dropped
	}
	return out
}

// tookOver has the clients of a lost active told, behind the announcement that a machine has
// asked for: what they answer must come here.
func (l *loop) tookOver(g *group, why election.Reason) {
	ofLife := func(uint64) bool { return true }
	switch why.Why {
	case election.WhyActiveSilent:
	case election.WhyYielded: // either it asked for it, and lives, or it is back without its connections
		boot := l.boots[why.Node]
		ofLife = func(of uint64) bool { return boot != 0 && of != boot }
	default:
		return
	}
	g.enqueue(func(context.Context) event {
		g.clients.vanished(why.Node, ofLife)
		return nil
	}, "tickle")
}

// lostLife says which life of a node that drained to this one has been lost: then nobody serves
// the connections that it had left. One that ended its drain is not lost.
func (l *loop) lostLife(g *group, node string) func(boot uint64) bool {
	st, now := g.machine.Status(), l.boots[node]
	silent := slices.ContainsFunc(st.Peers, func(p election.Peer) bool { return p.Node == node && p.Silent })
	return func(boot uint64) bool {
		return st.State == election.Active && (silent || now != 0 && boot != now)
	}
}

// heardBeside hands what a peer says, and no machine needs to hear, to the group that it is
// about. It may be called from any goroutine.
func (l *loop) heardBeside(node string, boot uint64, t talk) error {
	for _, g := range l.groups {
		switch {
		case g.name != t.group:
		case t.probe != nil:
			g.tester.heard(peerKey{node, boot}, *t.probe)
		default:
			return g.clients.heard(node, boot, t.clients)
		}
	}
	return nil
}
