package lbcore

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// maxTried is the greatest number of backends one request can have failed on.
const maxTried = 11

// maxInterim is the greatest number of 1xx answers to one request: each renews
// the backend's time, so that without a bound a request could last for ever.
const maxInterim = 100

// exchange is one request and its answer, from the first byte of the one to the
// last of the other. Its fields are grouped by the direction they serve.
type exchange struct {
	w    *worker
	c    *client
	view *frontendView
	to   *Pool         // that serves it; nil: there is none
	set  *http1.Fields // on its final answer
	act  *act          // of the rule that it met; nil: none

	// From the client. in holds bytes that were read but not used yet: part of
	// a head, or the beginning of the next request (unparsed).
	in       []byte
	unparsed bool
	req      http1.Request
	reqBody  http1.BodyReader
	reqDone  bool          // the request has been read to its end
	raw      bool          // there is no request: it is to become a tunnel (ModeTCP)
	begun    time.Duration // when its head was whole; 0 if it was refused

	// What must be remembered of the request after its head's bytes are gone.
	headOnly, idempotent, chunked, wantsKeep bool
	minor                                    int
	upgrade                                  []byte   // the protocols it asks for
	key                                      uint64   // what a policy that sticks goes by
	sticky                                   *Backend // that its cookie names; nil: none

	// To the backend. send[sent:] waits to be sent; while replayable, send is
	// everything taken from the client so far.
	send       []byte
	sent       int
	sendPipe   *loop.Pipe // behind send, if not nil
	replayable bool
	hasBody    bool
	trailers   bool // those of the request go on
	grpc       bool // client and backend speak in whatever order they like

	attempt
	waiting  waiting // for room on a backend
	attempts int
	repeated bool // was sent again after a backend may have received it
	tried    [maxTried]*Backend

	// From the backend. rin holds part of an answer's head.
	rin      []byte
	interim  int // 1xx answers so far
	resp     http1.Response
	respBody http1.BodyReader
	answered bool // a byte of an answer came
	started  bool // the head of the final answer was passed on
	respDone bool // the answer has been read to its end, or is our own

	source     netip.Addr // of the request; invalid where no limit goes by it
	retryAfter int        // seconds that its refusal tells; 0: none

	tunnel tunnel
	rec    notes

	slow     slowness      // of the client
	lastMove time.Duration // when the client brought or took something

	// To the client. out[taken:] waits to be sent.
	framing http1.BodyKind
	keep    bool // the client's connection goes on after this
	out     []byte
	taken   int
	outPipe *loop.Pipe    // behind out, if not nil
	halfEnd time.Duration // when a client that closed its sending side is given up
}

// attempt is what belongs to one try on one backend.
type attempt struct {
	pool   *poolView
	up     *upstream // nil before the first attempt and after the last
	since  time.Duration
	handed bool // a byte of the request was given to the kernel
	deaf   bool // the backend takes no more of the request
	held   bool // a place within the backend's maxconn, to be given back
}

// reset forgets everything but the bytes of the next request.
func (x *exchange) reset() {
	x.leaveQueue()
	x.sticky = nil
	x.w.put(x.send)
	x.w.put(x.rin)
	x.w.put(x.out)
	x.w.putPipe(x.sendPipe)
	x.w.putPipe(x.outPipe)
	x.sendPipe, x.outPipe = nil, nil
	if x.tunnel.open {
		x.countTunnelEnd()
	}
	x.tunnel = tunnel{}
	x.w.put(x.rec.text)
	x.rec = notes{}
	x.upgrade = x.upgrade[:0]
	x.view, x.to, x.set, x.act = nil, nil, nil, nil
	x.unparsed, x.reqDone, x.raw = false, false, false
	x.send, x.sent, x.replayable, x.hasBody, x.trailers, x.grpc = nil, 0, false, false, false, false
	x.attempt = attempt{}
	clear(x.tried[:x.attempts])
	x.attempts, x.repeated, x.interim = 0, false, 0
	if len(x.rin) > 0 {
		x.resp.Reset()
	}
	x.rin = nil
	x.answered, x.started, x.respDone = false, false, false
	x.keep, x.out, x.taken, x.halfEnd = false, nil, 0, 0
	x.begun, x.retryAfter, x.source = 0, 0, netip.Addr{}
	x.slow, x.lastMove = slowness{}, 0
	x.headOnly, x.wantsKeep = false, false // for an answer to what cannot be parsed
}

// pump moves what can be moved, in both directions. It reports whether there
// may be more to do.
func (x *exchange) pump() bool {
	if x.raw {
		return x.pumpRaw()
	}
	waits := x.outWaits()
	switch {
	case waits && x.flush():
		return true
	case waits && (x.respDone || x.c.via.stream == nil):
		return false
	case x.respDone:
		x.end()
		return true
	}
	// A client that takes nothing of its answer may still bring its request, if it speaks HTTP/2: gRPC streams both ways.
	more := false
	if u := x.up; u != nil && !u.connecting {
		if x.sendWaits() {
			more = x.flushRequest()
		} else if !x.reqDone && x.c.readable && !x.deaf {
			more = x.readBody()
		}
	}
	if u := x.up; u != nil && u.readable && !u.connecting && !waits {
		more = x.readAnswer() || more
	}
	return more
}

// outWaits and sendWaits say that something waits for the client, or for the
// backend.
func (x *exchange) outWaits() bool {
	return len(x.out) > x.taken || x.outPipe != nil || x.c.sealedWaits()
}

func (x *exchange) sendWaits() bool {
	return x.sent < len(x.send) || x.sendPipe != nil || x.up.sealedWaits()
}

// flush sends what waits for the client.
func (x *exchange) flush() bool {
	if !x.c.writable {
		return false
	}
	if x.c.sealedWaits() {
		return x.c.flushSecured()
	}
	if len(x.out) == x.taken {
		x.outPipe = x.c.drainPipe(x.outPipe)
		return x.outPipe == nil
	}
	n := x.c.write(x.out[x.taken:], x.respDone && !x.keep)
	x.taken += n
	if x.taken == len(x.out) {
		x.w.put(x.out)
		x.out, x.taken = nil, 0
		return true
	}
	return false
}

// arm sets the timers for what the exchange waits for now.
func (x *exchange) arm() {
	c, u, now := x.c, x.up, x.w.Now()
	open := x.grpc && !x.reqDone // nobody knows whose turn it is
	forClient := x.outWaits() || !open && u != nil && !u.connecting && !x.reqDone && !x.deaf && !x.sendWaits()
	x.slow.advance(now, forClient, x.view.cfg.Limits.MinRate)
	switch {
	case forClient:
		x.w.Wheel.Set(&c.timer, c, now+x.view.cfg.Timeouts.Client-x.slow.spent)
	case c.eof && !x.started:
		if x.halfEnd == 0 {
			x.halfEnd = now + x.view.cfg.Timeouts.HalfClose
		}
		x.w.Wheel.Set(&c.timer, c, x.halfEnd)
	case c.unregistered():
		x.w.Wheel.Set(&c.timer, c, now+watchAfter)
	default:
		x.w.Wheel.Stop(&c.timer)
	}
	switch {
	case u == nil || u.connecting:
	case forClient:
		u.last = now
		x.w.Wheel.Stop(&u.timer)
	case open:
		x.w.Wheel.Set(&u.timer, u, u.last+x.view.cfg.Timeouts.Tunnel)
	default:
		x.w.Wheel.Set(&u.timer, u, u.last+x.pool.cfg.Timeouts.Server)
	}
}

// clientTimeout is called when the client was waited for in vain.
func (x *exchange) clientTimeout() {
	x.slow = slowness{} // for it to take our answer
	if x.outWaits() || x.started || x.c.eof {
		x.rec.close('c', x.phase(), "client_timeout")
		x.c.resetAtClose() // else the kernel would hold what it does not take
		x.c.abort()
		return
	}
	x.c.count().headerTime.Add(1)
	x.rec.close('c', 'D', "client_timeout")
	x.fail(408)
}

// answer makes an answer of our own the whole answer.
func (x *exchange) answer(status int) {
	if x.raw {
		x.refuseRaw()
		return
	}
	x.keep = x.reqDone && x.mayKeep()
	x.started, x.respDone = true, true
	x.rec.status = status
	x.c.count().responses[status/100].Add(1)
	page := x.view.cfg.ErrorPages[status]
	out := append(x.w.get(len(page.Body)+smallBuffer), x.out[x.taken:]...)
	a := http1.Answer{Status: status, Type: page.Type, Body: page.Body, NoStore: true, CloseConn: !x.keep, HeadOnly: x.headOnly, Set: x.set, RetryAfter: x.retryAfter}
	if page.Body == nil {
		x.out = http1.AppendError(out, &a)
	} else {
		x.out = http1.AppendAnswer(out, &a)
	}
	x.taken = 0
}

// mayKeep says whether the client's connection may go on after this answer.
// When we are the one who ends it, requests that the client has sent ahead are
// answered first: after "Connection: close" they would be lost (RFC 9112, 9.6).
func (x *exchange) mayKeep() bool {
	c := x.c
	if !x.wantsKeep || !c.f.retired.Load() && !x.w.draining.Load() {
		return x.wantsKeep
	}
	return x.unparsed || x.reqDone && c.readable && x.sentAhead()
}

// fail gives the request up: with an answer if none has begun, else by cutting
// the connection.
func (x *exchange) fail(status int) {
	x.dropUpstream()
	if x.started {
		x.c.count().cut.Add(1)
		if x.framing == http1.UntilClose {
			x.c.resetAtClose() // only so can the client tell it from the end
		}
		x.c.close()
		return
	}
	x.answer(status)
}

// countLatency is called once the request has been dealt with in order.
func (x *exchange) countLatency() {
	if x.begun != 0 {
		x.c.count().latency.observe(x.w.Now() - x.begun)
	}
}

// end is called when the answer is with the kernel.
func (x *exchange) end() {
	c := x.c
	x.countLatency()
	x.log()
	unread := !x.reqDone
	if u := x.up; u != nil {
		x.up = nil
		u.release(x.resp.KeepAlive && x.reqDone && !x.deaf && !x.sendWaits())
	}
	keep, next := x.keep && x.reqDone, x.unparsed
	surprised := x.wantsKeep // it may be sending its next request just now
	x.reset()
	switch {
	case !keep:
		c.finish(unread || next || surprised)
	case next:
		x.unparsed = true
		c.next()
	default:
		c.w.freeExchange(x)
		c.x = nil
		c.next()
	}
}
