package lbcore

import (
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// queue is one loop's requests that wait for a backend of a pool, in the order in which
// they came.
type queue struct {
	w           *worker
	pool        *Pool
	first, last *exchange
	timer       loop.Timer // for the first one's deadline
}

// waiting is a request's place in a queue.
type waiting struct {
	in         *queue // nil: it does not wait
	next, prev *exchange
	until      time.Duration
}

// wait has the request wait for room on a backend. It reports whether the request does; if
// not, it has been answered.
func (x *exchange) wait() {
	p := x.pool.pool
	n := &p.slots[x.w.slot]
	if p.waiting.Add(1) > int64(*x.pool.cfg.Queue) {
		p.waiting.Add(-1)
		n.queueFull.Add(1)
		x.c.count().queueFull.Add(1)
		x.rec.close('S', 'Q', "queue_full")
		x.answer(503)
		return
	}
	n.queued.Add(1)
	n.waiting.Add(1)
	q := x.w.queues[p]
	if q == nil {
		q = &queue{w: x.w, pool: p}
		x.w.queues[p] = q
	}
	x.waiting = waiting{in: q, prev: q.last, until: x.w.Now() + x.pool.cfg.QueueTimeout}
	if q.last == nil {
		q.first = x
		x.w.Wheel.Set(&q.timer, q, x.waiting.until)
	} else {
		q.last.waiting.next = x
	}
	q.last = x
	p.callWaiting() // there may have been room since it was looked for
}

// leaveQueue is called whenever the request does not wait any more, for whatever reason.
func (x *exchange) leaveQueue() {
	q := x.waiting.in
	if q == nil {
		return
	}
	if prev := x.waiting.prev; prev != nil {
		prev.waiting.next = x.waiting.next
	} else {
		q.first = x.waiting.next
	}
	if next := x.waiting.next; next != nil {
		next.waiting.prev = x.waiting.prev
	} else {
		q.last = x.waiting.prev
	}
	x.waiting = waiting{}
	q.pool.waiting.Add(-1)
	q.pool.slots[q.w.slot].waiting.Add(-1)
	if q.first == nil {
		q.w.Wheel.Stop(&q.timer)
		delete(q.w.queues, q.pool)
	}
}

// lookedAt bounds how many are looked at that wait for a backend of their own (sticky)
// before those that wait behind them.
const lookedAt = 256

// serve lets go on whoever can.
func (q *queue) serve() {
	for x, n := q.first, 0; x != nil && n < lookedAt; n++ {
		next := x.waiting.next
		x.pool = q.pool.view.Load()
		got := x.pick()
		if got.full && x.sticky == nil {
			return // there is no room for anybody
		}
		if got.full {
			x = next
			continue
		}
		x.leaveQueue()
		c := x.c
		x.goOn(got)
		c.run()
		x = next
	}
}

// Expired implements loop.Expirer.
func (q *queue) Expired() {
	for x := q.first; x != nil && x.waiting.until <= q.w.Now(); x = q.first {
		c := x.c
		x.leaveQueue()
		q.pool.slots[q.w.slot].queueTimeout.Add(1)
		c.count().queueTimeout.Add(1)
		x.rec.close('s', 'Q', "queue_timeout")
		x.answer(503)
		c.run()
	}
	if q.first != nil {
		q.w.Wheel.Set(&q.timer, q, q.first.waiting.until)
	}
}

// callWaiting is called from any goroutine.
func (e *engine) callWaiting(p *Pool) {
	for _, w := range e.workers {
		if p.slots[w.slot].waiting.Load() > 0 && !w.called.Swap(true) {
			w.Post(w.serveQueues)
		}
	}
}

// serveWaiting runs on the loop, when it is no request's turn.
func (w *worker) serveWaiting() {
	w.called.Store(false)
	for _, q := range w.queues {
		q.serve()
	}
}
