package lbcore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Proxy takes requests from its frontends' listeners and has them answered by
// its pools' backends.
type Proxy struct {
	cfg     Config
	log     *slog.Logger
	engine  *engine
	checks  checks
	changes chan struct{}
	sink    *logSink
	turns   checkTurns

	draining atomic.Bool // read by loops before each answer

	mu        sync.Mutex // guards the fields below; taken before Pool.mu
	started   bool
	ended     bool
	pools     map[string]*Pool
	frontends map[string]*frontend
}

// checks starts the checkers, all of them within Run.
type checks struct {
	root context.Context // ends with Run
	end  func()
	wg   sync.WaitGroup

	mu      sync.Mutex // guards the fields below; taken after all others
	running bool
	waiting []func() // those to start when Run begins
}

// New makes a Proxy without frontends and pools. The error names each value of
// cfg that is out of bounds; elsewhere than on Linux it says that lbcore needs
// Linux.
func New(cfg Config) (*Proxy, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("lbcore: %w", err)
	}
	p := newProxy(cfg)
	if p.engine, err = newEngine(cfg, &p.draining, p.sink); err != nil {
		return nil, fmt.Errorf("lbcore: %w", err)
	}
	return p, nil
}

// newProxy makes all but the engine.
func newProxy(cfg Config) *Proxy {
	p := &Proxy{
		cfg:       cfg,
		log:       cfg.Log,
		changes:   make(chan struct{}, 1),
		pools:     make(map[string]*Pool),
		frontends: make(map[string]*frontend),
		turns:     newCheckTurns(),
	}
	p.sink = newLogSink(cfg.Loops, func(err error) { cfg.Log.Error("the access log cannot be written; lines are lost", "err", err) })
	p.checks.root, p.checks.end = context.WithCancel(context.Background())
	return p
}

// slots is the number of places for state that is kept per loop: one for each
// loop, and the last for callers outside.
func (p *Proxy) slots() int { return p.cfg.Loops + 1 }

// Run serves until ctx ends or a loop fails, and returns when all loops and
// checkers have ended and every connection and listener is closed. The error is
// nil if ctx ended. Run may be called once.
func (p *Proxy) Run(ctx context.Context) error {
	p.mu.Lock()
	if p.started {
		p.mu.Unlock()
		return errors.New("lbcore: Run was called before")
	}
	p.started = true
	p.mu.Unlock()
	if runtime.GOMAXPROCS(0) <= p.cfg.Loops {
		runtime.GOMAXPROCS(p.cfg.Loops + 1)
	}

	p.checks.begin()
	go p.sink.run()
	err := p.engine.run(ctx)
	p.sink.end()
	p.checks.stop()

	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("lbcore: %w", err)
	}
	return nil
}

// SetPools makes pools the whole set. A pool that stays (by name) keeps its
// backends with their state; one that is left out lets its requests in flight
// end. All errors are reported at once, and then nothing is changed.
func (p *Proxy) SetPools(pools []PoolConfig) error {
	set, err := checked(pools, PoolConfig.withDefaults, func(c PoolConfig) string { return c.Name })
	if err != nil {
		return fmt.Errorf("lbcore: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[string]*Pool, len(set))
	for _, c := range set {
		if pool := p.pools[c.Name]; pool != nil {
			pool.reconfigure(c)
			next[c.Name] = pool
		} else {
			next[c.Name] = newPool(p, c)
		}
	}
	for name, pool := range p.pools {
		if next[name] == nil {
			pool.close()
		}
	}
	p.pools = next
	for _, f := range p.frontends {
		cfg := f.view.Load().cfg
		f.configure(cfg, p.pools)
	}
	p.changed()
	return nil
}

// SetFrontends makes frontends the whole set. One that stays (by name) keeps
// its counters and connections, and those of its listeners that are named
// again. One that is left out stops listening; its connections end with their
// next answer or their idle timeout. All errors are reported at once, and then
// nothing is changed and no listener is taken over.
func (p *Proxy) SetFrontends(frontends []FrontendConfig) error {
	set, err := checked(frontends, FrontendConfig.withDefaults, func(c FrontendConfig) string { return c.Name })
	if err != nil {
		return fmt.Errorf("lbcore: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errors.New("lbcore: the proxy has ended")
	}
	next := make(map[string]*frontend, len(set))
	var listeners []listenerConfig
	for _, c := range set {
		f := p.frontends[c.Name]
		if f == nil {
			f = newFrontend(c.Name, p.slots(), p.engine.room)
		}
		next[c.Name] = f
		for i, fd := range c.Listeners {
			listeners = append(listeners, listenerConfig{fd: fd, loop: i % p.cfg.Loops, frontend: f, serverFirst: c.serverSpeaksFirst()})
		}
	}
	for _, c := range set {
		if f := next[c.Name]; f.view.Load() == nil {
			f.configure(c, p.pools) // before its first connection
		}
	}
	if err := p.engine.setListeners(listeners); err != nil {
		return fmt.Errorf("lbcore: %w", err)
	}
	for _, c := range set {
		next[c.Name].configure(c, p.pools)
	}
	for name, f := range p.frontends {
		if next[name] == nil {
			f.retired.Store(true)
		}
	}
	p.frontends = next
	return nil
}

// Pool returns the pool of that name, or nil. It stays good across SetPools as
// long as the name is in the set.
func (p *Proxy) Pool(name string) *Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pools[name]
}

// Changes receives a value after some backend's state or some set has changed;
// several changes may come as one.
func (p *Proxy) Changes() <-chan struct{} { return p.changes }

func (p *Proxy) changed() {
	select {
	case p.changes <- struct{}{}:
	default:
	}
}

// Snapshot returns all states and counters. It costs loops nothing but cache
// misses.
func (p *Proxy) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Snapshot{AccessLog: AccessLogCounters{Lines: p.sink.lines.Load(), Lost: p.sink.lost.Load()}}
	for _, f := range p.frontends {
		s.Frontends = append(s.Frontends, f.snapshot())
	}
	for _, pool := range p.pools {
		s.Pools = append(s.Pools, pool.snapshot())
	}
	slices.SortFunc(s.Frontends, func(a, b FrontendSnapshot) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Pools, func(a, b PoolSnapshot) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// Answered counts the requests that were served so far, over all frontends that there are: those with
// an answer of 2xx, 3xx or 4xx, when its head was passed on. It costs loops nothing but cache misses.
func (p *Proxy) Answered() (n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.frontends {
		for i := range f.slots {
			for class := 2; class <= 4; class++ {
				n += f.slots[i].responses[class].Load()
			}
		}
	}
	return n
}

// checked completes and checks a set; the error holds all there is to say.
func checked[T any](set []T, complete func(T) (T, error), name func(T) string) ([]T, error) {
	out := make([]T, len(set))
	seen := make(map[string]bool, len(set))
	var errs []error
	for i, c := range set {
		var err error
		if out[i], err = complete(c); err != nil {
			errs = append(errs, err)
		}
		if seen[name(c)] {
			errs = append(errs, fmt.Errorf("%q is given twice", name(c)))
		}
		seen[name(c)] = true
	}
	return out, errors.Join(errs...)
}

// startChecker arranges for b to be checked from now on, or from the start of
// Run.
func (p *Proxy) startChecker(b *Backend) {
	c := &p.checks
	ctx, stop := context.WithCancel(c.root)
	b.stop = stop
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.running:
		c.wg.Go(func() { b.keepChecking(ctx) })
	case c.root.Err() == nil:
		c.waiting = append(c.waiting, func() { b.keepChecking(ctx) })
	}
}

func (c *checks) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
	for _, f := range c.waiting {
		c.wg.Go(f)
	}
	c.waiting = nil
}

func (c *checks) stop() {
	c.mu.Lock()
	c.running = false
	c.end()
	c.mu.Unlock()
	c.wg.Wait()
}
