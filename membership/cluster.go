package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// MaxPayload is the largest payload of [Cluster.Send] in bytes.
const MaxPayload = 64 << 10

// maxMessages is how many messages wait to be received.
const maxMessages = 256

// Errors to branch on; all others only say what is wrong.
var (
	ErrMetaTooLarge    = errors.New("membership: meta is too large")
	ErrPayloadTooLarge = errors.New("membership: payload is too large")
	ErrUnknownMember   = errors.New("membership: no such member is there")
	ErrNotEncrypted    = errors.New("membership: gossip is not encrypted; give every member a key file and start it again")
	ErrWrongKey        = errors.New("membership: the other side uses another gossip key")
	ErrPortTaken       = errors.New("membership: the gossip port is taken")
	ErrClosed          = errors.New("membership: cluster is closed, or has left")
)

// Stats are counters since Open.
type Stats struct {
	BadMeta         uint64 // messages about members ignored since their meta, name or address could not be believed
	RefusedNew      uint64 // messages about members never heard of before, ignored since there were too many at once, or at one address
	BadMessages     uint64 // direct messages ignored since they could not be decoded
	DroppedMessages uint64 // messages dropped since nobody received
	MergedEvents    uint64 // events dropped in favour of a newer one of the same member
	Relayed         uint64 // answers brought back to others; see Relay
	RefusedOrders   uint64 // requests to do something refused: from nobody that is there, for another run, too many at once, or none of theirs to ask
	RefusedRelays   uint64 // requests to carry a datagram refused, and answers that nobody had asked for or waited for any more
}

// Cluster is this node's view of the cluster, and its place in it. Its methods are safe for concurrent use.
type Cluster struct {
	cfg   Config
	log   *slog.Logger
	seeds []seed
	wire  string         // own name on the wire
	addr  netip.AddrPort // where others reach this node's gossip
	ml    *memberlist.Memberlist
	net   *netTransport // nil with Config.Transport

	metaBytes atomic.Pointer[[]byte] // what memberlist announces
	inbox     chan Message           // from delegate to Run
	messages  chan Message           // from Run to the user
	events    chan Event             // from Run to the user
	wakeup    chan struct{}          // there are events in the queue; capacity 1
	dispute   chan struct{}          // there may be a contest; capacity 1
	tried     chan struct{}          // closed by triedOnce
	reseed    chan []seed            // from SetSeeds to Run; capacity 1
	silence   chan struct{}          // a balancer does not answer; capacity 1
	triedOnce func()
	ran       atomic.Bool

	done      chan struct{}  // closed by Close
	left      chan struct{}  // closed by Leave
	workers   sync.WaitGroup // calls into memberlist that outlive the caller's context
	closeOnce sync.Once

	attempts   *attempts
	ring       *ring
	orders     *orders
	userInbox  chan UserEvent // from delegate to Run
	userEvents chan UserEvent // from Run to the user

	questions *questions // what others carry for this node
	carrier   *carrier   // what this node carries for others

	announcing sync.Mutex // held by SetMeta and Leave; protects said and hasLeft
	said       statement
	hasLeft    bool

	mu     sync.Mutex // protects the following; taken after memberlist's node lock, never before
	table  *table
	queue  *eventQueue
	stats  Stats
	closed bool
}

// Open checks cfg, binds the sockets and starts memberlist (see Goroutines above). It joins nobody: [Cluster.Run] does.
func Open(cfg Config) (*Cluster, error) {
	seeds, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		cfg: cfg, log: cfg.Log, seeds: seeds, wire: newWireName(cfg.Name, time.Now()),
		inbox: make(chan Message, maxMessages), messages: make(chan Message), events: make(chan Event),
		wakeup: make(chan struct{}, 1), dispute: make(chan struct{}, 1), tried: make(chan struct{}), reseed: make(chan []seed, 1),
		silence: make(chan struct{}, 1),
		done:    make(chan struct{}), left: make(chan struct{}), queue: newEventQueue(),
		questions: newQuestions(), carrier: newCarrier(), orders: newOrders(), attempts: newAttempts(),
		userInbox: make(chan UserEvent, maxUserEvents), userEvents: make(chan UserEvent),
	}
	var note string
	if c.ring, note = openRing(cfg.Keys, cfg.RingFile); note != "" {
		c.log.Info(note)
	}
	c.triedOnce = sync.OnceFunc(func() { close(c.tried) })
	c.table = newTable(c.wire)
	c.said = statement{meta: cfg.Meta.withDefaults(), seq: 1}
	b, err := c.said.encode()
	if err != nil {
		return nil, err
	}
	c.metaBytes.Store(&b)
	if err := c.start(); err != nil {
		return nil, err
	}
	c.log.Info("gossip listens", "name", cfg.Name, "addr", c.addr, "encrypted", len(cfg.Keys) > 0)
	return c, nil
}

// start binds and begins to gossip.
func (c *Cluster) start() error {
	logger := newLogger(c.log, c.suspected, c.done)
	conf := profile(c.wire, c.cfg.Meta.Role, c.ring.keys)
	conf.Logger = logger
	d := delegate{c}
	conf.Delegate, conf.Events, conf.Alive, conf.Ping = d, d, d, d
	transport := c.cfg.Transport
	if transport == nil {
		err := c.cfg.place()
		if err != nil {
			return err
		}
		c.net, err = newNetTransport(c.cfg.Bind, c.cfg.Advertise, logger)
		if errors.Is(err, ErrPortTaken) && c.cfg.AnyPort {
			c.cfg.Bind = netip.AddrPortFrom(c.cfg.Bind.Addr(), 0)
			c.net, err = newNetTransport(c.cfg.Bind, c.cfg.Advertise, logger)
		}
		if err != nil {
			return err
		}
		transport = c.net
	}
	conf.Transport = boundedTransport{transport, c.attempts}
	ml, err := memberlist.Create(conf)
	if err != nil {
		transport.Shutdown()
		return fmt.Errorf("membership: %w", err)
	}
	c.ml = ml
	self := ml.LocalNode()
	ip, _ := netip.AddrFromSlice(self.Addr)
	c.addr = netip.AddrPortFrom(ip.Unmap(), self.Port)
	return nil
}

// Run joins the seeds and rejoins what is missing, for ever, and delivers Events, Messages and UserEvents, until ctx ends or
// Close. Then it closes these channels and returns nil when all its goroutines have ended: at once after Close, else
// within 3 s, if an attempt to join is under way. After Leave it only delivers. It may be called once.
func (c *Cluster) Run(ctx context.Context) error {
	if c.ran.Swap(true) {
		return errors.New("membership: Run was called twice")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joining, stopJoining := context.WithCancel(ctx)
	defer stopJoining()
	var wg sync.WaitGroup
	wg.Go(func() { newRejoiner(c, c.seeds, c.remembered()).run(joining) })
	wg.Go(func() { c.judgeContests(joining) })
	if c.cfg.Meta.Role == RoleAgent {
		wg.Go(func() { c.watch(joining) })
	}
	wg.Go(func() { c.deliverEvents(ctx) })
	wg.Go(func() { deliver(ctx, c.inbox, c.messages) })
	wg.Go(func() { deliver(ctx, c.userInbox, c.userEvents) })
	wg.Go(func() { c.carrier.serve(ctx) })
	wg.Go(func() { c.keepSnapshot(ctx) })
	select {
	case <-ctx.Done():
	case <-c.done:
	case <-c.left:
		stopJoining()
		select {
		case <-ctx.Done():
		case <-c.done:
		}
	}
	cancel()
	wg.Wait()
	return nil
}

func (c *Cluster) deliverEvents(ctx context.Context) {
	defer close(c.events)
	for {
		c.mu.Lock()
		ev, ok := c.queue.pop()
		c.mu.Unlock()
		if !ok {
			select {
			case <-c.wakeup:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case c.events <- ev:
		case <-ctx.Done():
			return
		}
	}
}

// deliver passes on what comes, until ctx ends; then it closes to.
func deliver[T any](ctx context.Context, from <-chan T, to chan<- T) {
	defer close(to)
	for {
		select {
		case v := <-from:
			select {
			case to <- v:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Close ends everything at once, without goodbye (see Leave), and returns when the sockets are closed. Calls that are
// under way are waited for, at most 3 s. It may be called again.
func (c *Cluster) Close() error {
	var err error
	c.closeOnce.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		close(c.done)
		c.questions.close()
		if c.net != nil {
			c.net.cancel()
		}
		c.workers.Wait()
		err = c.ml.Shutdown()
	})
	return err
}

// work runs f in a goroutine that Close waits for, and reports whether it did: not after Close.
func (c *Cluster) work(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.workers.Go(f)
	return true
}

// note changes the table and queues what happened.
func (c *Cluster) note(change func(now time.Time) []Event) {
	c.mu.Lock()
	events := change(time.Now())
	c.queue.push(events)
	dispute := c.table.dispute
	c.table.dispute = false
	c.mu.Unlock()
	if len(events) > 0 {
		wake(c.wakeup)
	}
	if dispute {
		wake(c.dispute)
	}
	for _, ev := range events {
		c.logEvent(ev)
	}
}

func (c *Cluster) logEvent(ev Event) {
	m := ev.Member
	addr := netip.AddrPortFrom(m.Addr, m.Port)
	switch {
	case ev.Kind == EventConflict && m.Self:
		c.log.Error("another live member uses this node's name; rename one of both", "name", m.Name, "addr", addr, "other", ev.Other)
	case ev.Kind == EventConflict:
		c.log.Error("two live members use one name; rename one of both", "name", m.Name, "addr", addr, "other", ev.Other)
	case ev.Kind == EventUpdate:
		c.log.Debug("member update", "name", m.Name, "addr", addr, "apps", m.Meta.Apps)
	case !m.Self && m.Meta.Role == RoleAgent && c.cfg.Meta.Role == RoleAgent:
		c.log.Debug("member "+ev.Kind.String(), "name", m.Name, "addr", addr, "role", m.Meta.Role) // of no matter to it
	case !m.Self:
		c.log.Info("member "+ev.Kind.String(), "name", m.Name, "addr", addr, "role", m.Meta.Role)
	}
}

// suspected notes that the run wire has not answered this node. The rejoin loop goes to a balancer's place at once.
func (c *Cluster) suspected(wire string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.table.runs[wire]
	if r == nil || r.suspect {
		return
	}
	c.table.suspect(wire, true, time.Now())
	if r.said.meta.Role == RoleBalancer {
		wake(c.silence)
	}
}

// answered notes that the run wire has answered this node.
func (c *Cluster) answered(wire string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.suspect(wire, false, time.Now())
}

// count adds one to a counter of c.stats.
func (c *Cluster) count(counter *uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*counter++
}

func wake(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
