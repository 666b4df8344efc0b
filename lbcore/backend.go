package lbcore

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Backend is one running app of a pool. It lives from the Pool.Set that brings
// its ID and address until its last request after the Set that leaves it out.
type Backend struct {
	id   string
	addr netip.AddrPort
	pool *Pool

	given     atomic.Int32 // the weight given to Pool.Set
	weight    atomic.Int32 // what policies go by: less while it starts slowly
	drain     atomic.Bool
	backup    atomic.Bool
	own       atomic.Int64                 // its own maxconn; 0: the pool's
	sticky    atomic.Pointer[stickyTokens] // as of the last view; nil: none
	out       atomic.Pointer[ejected]      // nil: it is not
	ejections atomic.Uint64                // so far
	checks    atomic.Uint64                // made so far
	badChecks atomic.Uint64                // of them
	badRun    atomic.Int32                 // answers of 5xx in a row, on all loops
	errorsRun atomic.Int32                 // and errors
	outlier   chan string                  // tells the checker why to eject it; one place
	places    atomic.Int64                 // taken, of the requests that it may have
	retired   atomic.Bool                  // left out of the set: keep no connection to it
	status    atomic.Pointer[status]

	// slots has one entry per loop, written by that loop alone, and a last one
	// for Pool.Acquire, guarded by Pool.mu.
	slots []backendSlot

	// suspect brings failed connections from loops to the checker. One place:
	// what is not heard while one waits is the same news.
	suspect chan error
	again   chan struct{}           // asks the checker to begin anew; one place
	trouble atomic.Pointer[trouble] // the last, nil if there was none
	stop    func()                  // ends the checker
}

// trouble is what went wrong with a request.
type trouble struct {
	kind failureKind
	err  error // nil if kind says it all
	at   time.Time
}

// status is what a checker last found out.
type status struct {
	up      bool
	since   time.Time // of up
	reason  string
	checked time.Time
	took    time.Duration
}

// backendSlot is a loop's own part of a backend.
type backendSlot struct {
	credit int       // RoundRobin's
	turn   uint64    // when it is due among many
	conns  upstreams // kept and busy connections
	count  backendCounts
	_      [64]byte // the next slot is another core's
}

// backendCounts are written by one loop and read by Snapshot.
type backendCounts struct {
	requests, connects, reused, bytesIn, bytesOut atomic.Uint64
	responses                                     [6]atomic.Uint64
	current, conns                                atomic.Int64
	latency                                       histogram

	errConnect, errDied, errResponse, errTimeout atomic.Uint64
}

func newBackend(p *Pool, c BackendConfig, slots int, now time.Time) *Backend {
	b := &Backend{
		id:      c.ID,
		addr:    c.Addr,
		pool:    p,
		slots:   make([]backendSlot, slots),
		suspect: make(chan error, 1),
		again:   make(chan struct{}, 1),
		outlier: make(chan string, 1),
	}
	b.status.Store(&status{since: now, reason: "not checked yet"})
	b.configure(c)
	return b
}

func (b *Backend) configure(c BackendConfig) {
	b.given.Store(int32(c.Weight))
	b.weight.Store(int32(c.Weight))
	b.drain.Store(c.Drain)
	b.backup.Store(c.Backup)
	b.own.Store(int64(c.MaxConn))
}

// ID returns the ID given to Pool.Set.
func (b *Backend) ID() string { return b.id }

// Addr returns the address given to Pool.Set.
func (b *Backend) Addr() netip.AddrPort { return b.addr }

// Weight returns its share, 1 to MaxWeight, as it was given.
func (b *Backend) Weight() int { return int(b.given.Load()) }

// State returns its current state.
func (b *Backend) State() State {
	switch {
	case !b.well():
		return StateDown
	case b.drain.Load():
		return StateDrain
	}
	return StateUp
}

// inFlight is the number of its requests under way, on all loops.
func (b *Backend) inFlight() (n int64) {
	for i := range b.slots {
		n += b.slots[i].count.current.Load()
	}
	return n
}

// available says whether it is given new requests.
func (b *Backend) available() bool { return b.State() == StateUp }

// failed tells the checker that a connection attempt failed. It never blocks.
func (b *Backend) failed(err error) {
	select {
	case b.suspect <- err:
	default:
	}
}

func (b *Backend) snapshot() BackendSnapshot {
	st := b.status.Load()
	s := BackendSnapshot{
		ID: b.id, Addr: b.addr, Weight: b.Weight(), Share: int(b.weight.Load()), Backup: b.backup.Load(), MaxConn: int(b.maxConn()), State: b.State(),
		Since: st.since, Reason: st.reason, CheckedAt: st.checked, CheckTook: st.took,
	}
	s.Ejections = b.ejections.Load()
	s.Checks, s.BadChecks = b.checks.Load(), b.badChecks.Load()
	if e := b.out.Load(); e != nil {
		s.EjectedUntil = e.until
		if st.up {
			s.Since, s.Reason = e.since, e.String()
		}
	}
	if t := b.trouble.Load(); t != nil {
		s.LastError, s.LastErrorAt = t.kind.String(), t.at
		if t.err != nil {
			s.LastError += ": " + t.err.Error()
		}
	}
	for i := range b.slots {
		s.Counters.add(&b.slots[i].count)
	}
	return s
}

func (c *BackendCounters) add(n *backendCounts) {
	c.Requests += n.requests.Load()
	c.Connects += n.connects.Load()
	c.Reused += n.reused.Load()
	c.BytesIn += n.bytesIn.Load()
	c.BytesOut += n.bytesOut.Load()
	c.Current += n.current.Load()
	c.Conns += n.conns.Load()
	for i := range n.responses {
		c.Responses[i] += n.responses[i].Load()
	}
	n.latency.addTo(&c.Latency)
	c.Errors.Connect += n.errConnect.Load()
	c.Errors.Died += n.errDied.Load()
	c.Errors.Response += n.errResponse.Load()
	c.Errors.Timeout += n.errTimeout.Load()
}
