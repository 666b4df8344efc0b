package lbcore

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

var errEnded = errors.New("connection ended")

// try picks a backend and sends the request to it, or answers that there is
// none.
func (x *exchange) try() {
	if x.to == nil {
		x.c.count().noBackend.Add(1)
		x.rec.close('S', 'C', "no_backend")
		x.answer(503)
		return
	}
	x.pool = x.to.view.Load()
	n := &x.pool.slots[x.w.slot]
	n.requests.Add(1)
	n.spent.request(x.w.Now())
	if x.pool.pool.waiting.Load() > 0 { // who waits comes first
		x.wait()
		return
	}
	x.goOn(x.pick())
}

// pick looks for a backend on which the request was not tried.
func (x *exchange) pick() choice {
	return x.pool.pick(wish{slot: x.w.slot, key: x.key, sticky: x.sticky, tried: x.tried[:x.attempts], scratch: &x.w.scratch})
}

// goOn sends the request to the backend that was found, has it wait for one that has
// room, or answers that there is none.
func (x *exchange) goOn(got choice) {
	switch {
	case got.b != nil:
		if x.attempts > 0 {
			x.countRetry()
		}
		x.tryOn(got)
	case got.full:
		x.wait()
	default:
		x.pool.slots[x.w.slot].noBackend.Add(1)
		x.c.count().noBackend.Add(1)
		x.rec.close('S', 'C', "no_backend")
		x.answer(503)
	}
}

// mayRetry spends some of the pool's retry budget, if there is any left.
func (x *exchange) mayRetry() bool {
	b := x.pool.cfg.RetryBudget
	n := &x.pool.slots[x.w.slot]
	if b == nil || n.spent.retry(x.w.Now(), b, len(x.pool.slots)-1) {
		return true
	}
	n.retriesRefused.Add(1)
	return false
}

func (x *exchange) countRetry() {
	x.c.count().retries.Add(1)
	x.pool.slots[x.w.slot].retries.Add(1)
}

// elsewhere looks for the backend for the attempt after one that failed on b.
func (x *exchange) elsewhere(b *Backend, v verdict) choice {
	if !v.again || !x.mayRetry() {
		return choice{}
	}
	var tried [maxTried]*Backend
	n := copy(tried[:], x.tried[:x.attempts])
	tried[n] = b
	got := x.pool.pool.view.Load().pick(wish{slot: x.w.slot, key: x.key, tried: tried[:n+1], scratch: &x.w.scratch})
	if got.b == nil && v.same && b.available() {
		got = choice{b: b, held: x.held} // its place goes over
		x.held = false
	}
	return got
}

// tryOn sends the request to a backend, over a kept connection if it is the first
// attempt.
func (x *exchange) tryOn(on choice) {
	b := on.b
	x.attempt = attempt{pool: x.pool, since: x.w.Now(), held: on.held}
	x.sent = 0
	if x.rec.last = b; x.rec.asked == 0 {
		x.rec.asked = x.since
	}
	n := &b.slots[x.w.slot].count
	n.requests.Add(1)
	n.current.Add(1)
	u := x.kept(b)
	if u != nil {
		n.reused.Add(1)
	} else if u = x.w.connect(b, x); u == nil {
		return // failed, and dealt with
	}
	x.join(u)
	if !u.connecting {
		x.rec.linked = x.w.Now()
		x.flushRequest()
	}
}

func (x *exchange) join(u *upstream) {
	u.x, x.up = x, u
	u.last = x.w.Now()
	u.beBusy()
	u.setPatience(x.patience())
}

// repeatable says that the request may be sent again after a backend may have
// received it.
func (x *exchange) repeatable() bool { return x.idempotent && !x.hasBody }

// patience is how long sent bytes may go unacknowledged, for TCP_USER_TIMEOUT:
// a host that lost its power sends no reset. What may be repeated waits no
// longer than a handshake would; for the rest nothing is won by giving up, and a
// backend that reads a body slowly closes its window, which Linux takes for
// silence.
func (x *exchange) patience() time.Duration {
	if x.repeatable() {
		return x.pool.cfg.Timeouts.Connect
	}
	return x.pool.cfg.Timeouts.Server
}

// kept returns an idle connection to b, or nil. A retry gets a new one: what
// made the last one fail may have happened to all. So does a request that could
// not be repeated, if the connection turns out to be closing.
func (x *exchange) kept(b *Backend) *upstream {
	if x.attempts > 0 || x.raw || x.pool.cfg.SendProxy != 0 {
		return nil
	}
	if x.pool.cfg.http2() {
		return x.w.openStream(b, x.pool.tls != nil)
	}
	for {
		u := x.w.popIdle(b)
		if u != nil && (u.tls != nil) != (x.pool.tls != nil) { // from before a reload
			u.close()
			continue
		}
		if u == nil || x.repeatable() || u.quiet() {
			return u
		}
		u.close()
	}
}

// failed deals with an attempt that went wrong: it is made again elsewhere, or
// the request is given up, or (declaredDown only) goes on waiting.
func (x *exchange) failed(kind failureKind, err error) {
	u := x.up
	b := u.b
	if x.started {
		x.note(b, kind, err)
		x.rec.close(kind.ending(x.started))
		x.fail(502)
		return
	}
	f := failure{
		kind: kind, sent: x.handed, reused: u.reused,
		repeatable: x.repeatable(),
		replayable: x.replayable,
		attempts:   x.attempts + 1, repeated: x.repeated,
	}
	v := decide(f, *x.pool.cfg.Retries)
	next := x.elsewhere(b, v)
	if v.wait && next.b == nil && !next.full {
		return
	}
	x.note(b, kind, err)
	x.dropUpstream()
	x.tried[x.attempts] = b
	x.attempts++
	x.repeated = x.repeated || f.sent
	if next.b != nil || next.full {
		x.pool = x.pool.pool.view.Load()
		x.goOn(next)
		return
	}
	if v.status == 504 {
		x.c.count().timeout.Add(1)
	} else {
		x.c.count().badGateway.Add(1)
	}
	x.rec.close(kind.ending(x.started))
	x.fail(v.status)
}

// note counts and remembers a failure, and tells the checker if it says something about the
// backend's health.
func (x *exchange) note(b *Backend, kind failureKind, err error) {
	b.trouble.Store(&trouble{kind, err, time.Now()})
	// Our own lack of ports says nothing about the backend.
	ours := errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
	if !ours {
		b.erred(&x.pool.cfg.Outlier)
	}
	n := &b.slots[x.w.slot].count
	switch kind {
	case connectFailed, connectTimeout:
		n.errConnect.Add(1)
		if !ours {
			b.failed(err)
		}
	case died, declaredDown:
		n.errDied.Add(1)
		if errors.Is(err, unix.ETIMEDOUT) || errors.Is(err, unix.EHOSTUNREACH) {
			b.failed(err)
		}
	case malformed:
		n.errResponse.Add(1)
	case serverTimeout:
		n.errTimeout.Add(1)
	}
}

// dropUpstream closes the exchange's backend connection, if it has one.
func (x *exchange) dropUpstream() {
	if u := x.up; u != nil {
		x.up = nil
		u.release(false)
	}
}
