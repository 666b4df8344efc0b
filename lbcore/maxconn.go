package lbcore

import "time"

// Bounds of PoolConfig's MaxConn, Queue and QueueTimeout.
const (
	MaxMaxConn   = 1_000_000
	MaxQueue     = 100_000
	DefaultQueue = 1000
)

const (
	defaultQueueTimeout = 5 * time.Second
	leastQueueTimeout   = 10 * time.Millisecond
	mostQueueTimeout    = 10 * time.Minute
)

// maxConn is how many requests, on all loops together, a backend may have under way. It
// costs one word that the loops share, and only where there is a bound.
func (b *Backend) maxConn() int64 {
	if own := b.own.Load(); own != 0 || b.pool == nil {
		return own
	}
	return int64(b.pool.view.Load().cfg.MaxConn)
}

// enter takes a place within the bound; held says that there is a bound, and that the place
// must be given back by leave.
func (b *Backend) enter() (ok, held bool) {
	most := b.maxConn()
	if most == 0 {
		return true, false
	}
	if b.places.Add(1) > most {
		b.places.Add(-1)
		return false, false
	}
	return true, true
}

func (b *Backend) hasRoom() bool {
	most := b.maxConn()
	return most == 0 || b.places.Load() < most
}

// leave gives back what enter took, and calls those that wait for it.
func (b *Backend) leave() {
	b.places.Add(-1)
	b.pool.callWaiting()
}

// callWaiting has every loop look whether those of its requests that wait for a backend of
// this pool can go on now. It is called AFTER there is more room, as requests are counted
// as waiting BEFORE they look for room for the last time: so none is forgotten.
func (p *Pool) callWaiting() {
	if p.waiting.Load() > 0 {
		p.proxy.engine.callWaiting(p)
	}
}

func (c *PoolConfig) checkMaxConn(bad func(string, ...any)) {
	if c.MaxConn < 0 || c.MaxConn > MaxMaxConn {
		bad("maxconn %d: want 1 to %d, or 0 for no bound", c.MaxConn, MaxMaxConn)
	}
	if c.Queue == nil {
		n := DefaultQueue
		c.Queue = &n
	}
	if *c.Queue < 0 || *c.Queue > MaxQueue {
		bad("queue of %d: want 0 to %d", *c.Queue, MaxQueue)
	}
	orDefault(&c.QueueTimeout, defaultQueueTimeout)
	if c.QueueTimeout < leastQueueTimeout || c.QueueTimeout > mostQueueTimeout {
		bad("queue timeout %v: want %v to %v", c.QueueTimeout, leastQueueTimeout, mostQueueTimeout)
	}
}
