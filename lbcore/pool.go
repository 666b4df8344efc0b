package lbcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// ErrNoBackend is returned by Pool.Acquire when no backend that was not tried
// is up and has room.
var ErrNoBackend = errors.New("lbcore: no backend is up")

// Pool is a named set of backends with one policy and one check.
type Pool struct {
	name  string
	proxy *Proxy
	view  atomic.Pointer[poolView] // what loops read
	slots []poolSlot               // one per loop

	waiting      atomic.Int64 // requests in the queues of all loops
	ejected      atomic.Int64 // backends
	ejectRefused atomic.Uint64

	mu       sync.Mutex // guards the fields below, and the last slot of backends and policies
	cfg      *PoolConfig
	policies []Policy // one per slot
	tls      *tlsClient
	checkTLS *tlsClient
	backends []*Backend
	closed   bool
	later    *time.Timer // shows loops what has changed; nil: nothing waits
}

// In a pool of more than manyBackends, or of the policy "hash", changes of state are shown together after
// publishDelay: to show one costs a look at all, or a table, and in the second after a start all of them come up.
const (
	manyBackends = 256
	publishDelay = 2 * time.Millisecond
)

// poolView is immutable.
type poolView struct {
	pool     *Pool
	cfg      *PoolConfig
	policies []Policy
	tls      *tlsClient // nil: plain
	checkTLS *tlsClient // of checks; nil: plain
	tiers
	many   bool        // more than manyBackends, available or not
	sticky *stickyView // nil: none
	slots  []poolSlot  // the pool's: what they count is not
}

// poolSlot is a loop's own part of a pool.
type poolSlot struct {
	requests, noBackend, retries    atomic.Uint64
	queued, queueFull, queueTimeout atomic.Uint64
	waiting                         atomic.Int64 // of queued, now
	retriesRefused                  atomic.Uint64
	sticky                          stickyCounts
	spent                           spending // of the retry budget; the loop's alone
	responses                       [6]atomic.Uint64
	latency                         histogram
	_                               [64]byte // the next slot is another core's
}

func newPool(p *Proxy, cfg PoolConfig) *Pool {
	pool := &Pool{name: cfg.Name, proxy: p, cfg: &cfg, slots: make([]poolSlot, p.slots())}
	pool.choosePolicies()
	pool.secure()
	pool.publish()
	return pool
}

// choosePolicies is called with p.mu held, or before the pool is shared. Views
// keep the slice they have.
func (p *Pool) choosePolicies() {
	p.policies = make([]Policy, p.proxy.slots())
	for slot := range p.policies {
		p.policies[slot] = newPolicy(p.cfg, slot)
	}
}

// secure is called as choosePolicies is.
func (p *Pool) secure() {
	p.tls = newTLSClient(p.cfg.TLS, p.cfg.alpn())
	switch c := &p.cfg.Check; {
	case c.Plain:
		p.checkTLS = nil
	case c.TLS != nil:
		p.checkTLS = newTLSClient(c.TLS, "")
	default:
		p.checkTLS = p.tls
	}
}

// Name returns the name given to SetPools.
func (p *Pool) Name() string { return p.name }

// Set makes backends the whole set: new ones are checked at once and used after
// one good check; those with the same ID and address keep health and counters;
// those left out get no new request and end those in flight. Duplicate IDs and
// invalid backends are all reported, and then nothing is changed.
func (p *Pool) Set(backends []BackendConfig) error {
	set := make([]BackendConfig, len(backends))
	seen := make(map[string]bool, len(backends))
	var errs []error
	for i, c := range backends {
		var err error
		if set[i], err = c.withDefaults(); err != nil {
			errs = append(errs, err)
		}
		if seen[c.ID] {
			errs = append(errs, fmt.Errorf("backend %q is given twice", c.ID))
		}
		seen[c.ID] = true
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lbcore: pool %q: %w", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("lbcore: pool %q was removed", p.name)
	}
	p.replace(set)
	return nil
}

// replace is called with p.mu held.
func (p *Pool) replace(set []BackendConfig) {
	old := make(map[string]*Backend, len(p.backends))
	for _, b := range p.backends {
		old[b.id] = b
	}
	next := make([]*Backend, 0, len(set))
	for _, c := range set {
		b := old[c.ID]
		if b == nil || b.addr != c.Addr {
			b = newBackend(p, c, p.proxy.slots(), time.Now())
			p.proxy.startChecker(b)
		} else {
			b.configure(c)
			b.reweigh(time.Now())
			delete(old, c.ID)
		}
		next = append(next, b)
	}
	for _, b := range old {
		b.retired.Store(true)
		b.stop()
		if b.out.Swap(nil) != nil {
			p.ejected.Add(-1)
		}
	}
	p.backends = next
	p.publish()
	p.proxy.changed()
}

// publish shows loops the current state. It is called with p.mu held, or
// before the pool is shared.
func (p *Pool) publish() {
	v := &poolView{pool: p, cfg: p.cfg, policies: p.policies, tls: p.tls, checkTLS: p.checkTLS, slots: p.slots, many: len(p.backends) > manyBackends}
	v.tiers = tiersOf(p.backends, p.cfg.PanicThreshold)
	if old := p.view.Load(); old != nil {
		p.tell(old.tiers, v.tiers)
	}
	v.sticky = newSticky(p.cfg, v.avail)
	if p.cfg.Policy == "hash" {
		v.policies = withTable(v.policies, newMaglev(v.avail))
	}
	p.view.Store(v)
	p.callWaiting()
}

// refresh is called by checkers after a state has changed.
func (p *Pool) refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.later != nil:
	case len(p.backends) > manyBackends || p.cfg.Policy == "hash":
		p.later = time.AfterFunc(publishDelay, p.publishLater)
	default:
		p.publish()
		p.proxy.changed()
	}
}

func (p *Pool) publishLater() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.later = nil
	p.publish()
	p.proxy.changed()
}

// reconfigure changes policy, check and timeouts; running checks take them up
// at their next round.
func (p *Pool) reconfigure(cfg PoolConfig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg = &cfg
	p.choosePolicies()
	p.secure()
	p.publish()
}

// close ends the pool: its requests in flight end, its checkers stop.
func (p *Pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replace(nil)
	p.closed = true
}

// Lease is the right to send one request to one backend.
type Lease struct {
	b    *Backend
	held bool // a place within its maxconn
	done atomic.Bool
}

// Backend returns the backend to use.
func (l *Lease) Backend() *Backend { return l.b }

// Done ends the lease; err tells how the request went. An error that says
// that the connection could not be made counts as a failed check. Calls after
// the first do nothing.
func (l *Lease) Done(err error) {
	if l.done.Swap(true) {
		return
	}
	c := &l.b.slots[len(l.b.slots)-1].count
	c.current.Add(-1)
	if l.held {
		l.b.leave()
	}
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		c.errTimeout.Add(1)
	case isDialError(err):
		c.errConnect.Add(1)
		l.b.failed(err)
	default:
		c.errDied.Add(1)
	}
}

// Acquire picks a backend that is up and was not tried, for a caller outside
// the loops; key is what a sticky policy goes by. The error is ErrNoBackend.
// It may be called from any goroutine.
func (p *Pool) Acquire(key uint64, tried ...*Backend) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := p.proxy.slots() - 1
	got := p.view.Load().pick(wish{slot: slot, key: key, tried: tried})
	if got.b == nil {
		return nil, fmt.Errorf("pool %q: %w", p.name, ErrNoBackend)
	}
	c := &got.b.slots[slot].count
	c.requests.Add(1)
	c.current.Add(1)
	return &Lease{b: got.b, held: got.held}, nil
}

func (p *Pool) snapshot() PoolSnapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	s := PoolSnapshot{Name: p.name, Policy: p.cfg.Policy, Up: len(v.avail), Waiting: max(0, p.waiting.Load()), OnBackup: v.spare, Panic: v.panics}
	for _, b := range p.backends {
		s.Backends = append(s.Backends, b.snapshot())
	}
	for i := range p.slots {
		s.Counters.add(&p.slots[i])
	}
	s.Counters.EjectionsRefused = p.ejectRefused.Load()
	return s
}

func (c *PoolCounters) add(n *poolSlot) {
	c.Requests += n.requests.Load()
	c.NoBackend += n.noBackend.Load()
	c.Retries += n.retries.Load()
	c.RetriesRefused += n.retriesRefused.Load()
	c.Sticky.Kept += n.sticky.kept.Load()
	c.Sticky.Lost += n.sticky.lost.Load()
	c.Sticky.New += n.sticky.fresh.Load()
	c.Queued += n.queued.Load()
	c.QueueFull += n.queueFull.Load()
	c.QueueTimeout += n.queueTimeout.Load()
	for i := range n.responses {
		c.Responses[i] += n.responses[i].Load()
	}
	n.latency.addTo(&c.Latency)
}

// turned is called by a checker after its backend went up or, because of err,
// down. Requests that wait for the answer of one that is silent are moved.
func (p *Pool) turned(b *Backend, st *status, since time.Time, err error) {
	p.refresh()
	attrs := []any{"pool", p.name, "backend", b.id, "addr", b.addr, "after", st.since.Sub(since).Round(time.Millisecond)}
	if st.up {
		p.proxy.log.Info("backend up", attrs...)
		return
	}
	p.proxy.log.Warn("backend down", append(attrs, "reason", st.reason)...)
	if said := (*check.Unwell)(nil); !errors.As(err, &said) {
		p.proxy.engine.backendDown(b)
	}
}
