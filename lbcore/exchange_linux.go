package lbcore

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// maxTried is the greatest number of backends one request can have failed on.
const maxTried = 11

// exchange is one request and its answer, from the first byte of the one to the
// last of the other. Its fields are grouped by the direction they serve.
type exchange struct {
	w    *worker
	c    *client
	view *frontendView

	// From the client. in holds bytes that were read but not used yet: part of
	// a head, or the beginning of the next request (unparsed).
	in       []byte
	unparsed bool
	req      http1.Request
	reqBody  http1.BodyReader
	reqDone  bool // the request has been read to its end

	// What must be remembered of the request after its head's bytes are gone.
	headOnly, idempotent, chunked, wantsKeep bool
	minor                                    int

	// To the backend. send[sent:] waits to be sent; while replayable, send is
	// everything taken from the client so far.
	send       []byte
	sent       int
	replayable bool
	hasBody    bool

	attempt
	attempts int
	repeated bool // was sent again after a backend may have received it
	tried    [maxTried]*Backend

	// From the backend. rin holds part of an answer's head.
	rin      []byte
	resp     http1.Response
	respBody http1.BodyReader
	answered bool // a byte of an answer came
	started  bool // the head of the final answer was passed on
	respDone bool // the answer has been read to its end, or is our own

	// To the client. out[taken:] waits to be sent.
	framing http1.BodyKind
	keep    bool // the client's connection goes on after this
	out     []byte
	taken   int
	halfEnd time.Duration // when a client that closed its sending side is given up
}

// attempt is what belongs to one try on one backend.
type attempt struct {
	pool   *poolView
	up     *upstream // nil before the first attempt and after the last
	handed bool      // a byte of the request was given to the kernel
	deaf   bool      // the backend takes no more of the request
}

// reset forgets everything but the bytes of the next request.
func (x *exchange) reset() {
	x.w.put(x.send)
	x.w.put(x.rin)
	x.w.put(x.out)
	x.view = nil
	x.unparsed, x.reqDone = false, false
	x.send, x.sent, x.replayable, x.hasBody = nil, 0, false, false
	x.attempt = attempt{}
	clear(x.tried[:x.attempts])
	x.attempts, x.repeated = 0, false
	if len(x.rin) > 0 {
		x.resp.Reset()
	}
	x.rin = nil
	x.answered, x.started, x.respDone = false, false, false
	x.keep, x.out, x.taken, x.halfEnd = false, nil, 0, 0
	x.headOnly, x.wantsKeep = false, false // for an answer to what cannot be parsed
}

// begin starts the exchange for the head in x.req; rest is what came behind it.
func (x *exchange) begin(rest []byte) {
	n := x.c.count()
	n.requests.Add(1)
	r := &x.req
	x.minor, x.wantsKeep = r.Minor, r.KeepAlive
	x.headOnly, x.idempotent = classify(r.Method)
	x.chunked = r.Body.Kind == http1.Chunked
	x.hasBody = x.chunked || r.Body.Length > 0
	x.reqBody.Reset(r.Body, x.view.limits.Body, false)
	x.replayable = true

	x.send = x.appendHead(x.w.get(len(rest) + smallBuffer*3/4))
	var err *http1.Error
	x.send, rest, err = x.takeBody(x.send, rest)
	x.keepRest(rest)
	if err != nil {
		n.badRequest.Add(1)
		x.answer(err.Status)
		return
	}
	x.try()
}

// classify says of a method whether its answers have no body, and whether it is
// idempotent (RFC 9110, 9.2.2).
func classify(method []byte) (headOnly, idempotent bool) {
	switch string(method) {
	case "HEAD":
		return true, true
	case "GET", "OPTIONS", "TRACE", "PUT", "DELETE":
		return false, true
	}
	return false, false
}

// appendHead appends the head for the backend.
func (x *exchange) appendHead(dst []byte) []byte {
	var addr [48]byte
	return http1.AppendRequest(dst, &x.req, &http1.Forward{
		Client:    x.c.peer.Addr().AppendTo(addr[:0]),
		Port:      x.c.l.port,
		Proto:     protoHTTP,
		Host:      x.host(),
		Expect100: true,
		KeepAlive: true,
	})
}

var protoHTTP = []byte("http")

// host is what the backend is told when a HTTP/1.0 client names no host: the
// address it has connected to.
func (x *exchange) host() []byte {
	if len(x.req.Host) > 0 {
		return nil
	}
	return loop.LocalAddr(int(x.c.fd)).AppendTo(nil)
}

// takeBody appends to dst what in holds of the request's body, framed for the
// backend, and returns what follows the body. If it can, it returns a part of
// in instead of copying it.
func (x *exchange) takeBody(dst, in []byte) (out, rest []byte, err *http1.Error) {
	for {
		data, n, done, err := x.reqBody.Next(in)
		if err != nil {
			return dst, in, err
		}
		in = in[n:]
		switch {
		case x.chunked:
			dst = http1.AppendChunk(dst, data)
		case len(dst) == 0 && len(in) == 0:
			dst = data
		default:
			dst = append(dst, data...)
		}
		if done {
			x.reqDone = true
			if x.chunked {
				dst = append(dst, http1.LastChunk...)
			}
			return dst, in, nil
		}
		if n == 0 {
			return dst, in, nil
		}
	}
}

// keepRest stores the beginning of the next request. rest may lie in x.in.
func (x *exchange) keepRest(rest []byte) {
	switch {
	case len(rest) == 0:
		x.w.put(x.in)
		x.in = nil
	case cap(x.in) > 0:
		x.in = x.in[:copy(x.in[:cap(x.in)], rest)]
	default:
		x.in = append(x.w.get(len(rest)), rest...)
	}
	x.unparsed = len(rest) > 0
}

// pump moves what can be moved, in both directions. It reports whether there
// may be more to do.
func (x *exchange) pump() bool {
	if len(x.out) > x.taken {
		return x.flush()
	}
	if x.respDone {
		x.end()
		return true
	}
	more := false
	if u := x.up; u != nil && !u.connecting {
		if x.sent < len(x.send) {
			more = x.flushRequest()
		} else if !x.reqDone && x.c.readable && !x.deaf {
			more = x.readBody()
		}
	}
	if u := x.up; u != nil && u.readable && !u.connecting && len(x.out) == 0 {
		more = x.readAnswer() || more
	}
	return more
}

// flush sends what waits for the client.
func (x *exchange) flush() bool {
	if !x.c.writable {
		return false
	}
	n := x.c.write(x.out[x.taken:])
	x.taken += n
	if x.taken == len(x.out) {
		x.w.put(x.out)
		x.out, x.taken = nil, 0
		return true
	}
	return false
}

// write sends as much of buf as the client takes now.
func (c *client) write(buf []byte) int {
	n, errno := loop.Write(int(c.fd), buf)
	switch {
	case errno == unix.EAGAIN:
		c.writable = false
		return 0
	case errno != 0:
		c.broken = true
		return 0
	}
	if n < len(buf) {
		c.writable = false
	}
	c.last = c.w.Now()
	c.count().bytesOut.Add(uint64(n))
	return n
}

// flushRequest sends what waits for the backend.
func (x *exchange) flushRequest() bool {
	u := x.up
	if !u.writable {
		return false
	}
	n, ok := u.write(x.send[x.sent:])
	x.sent += n
	x.handed = x.handed || n > 0
	if !ok {
		x.backendDeaf()
		return true
	}
	if x.sent < len(x.send) {
		return false
	}
	if !x.replayable {
		x.w.put(x.send)
		x.send, x.sent = nil, 0
	}
	return true
}

// backendDeaf notes that the backend takes no more of the request. It may have
// answered already; reading tells, and tells how the connection ended.
func (x *exchange) backendDeaf() {
	x.deaf = true
	x.up.readable = true
	x.sent = len(x.send)
}

// readBody passes on more of the request's body. Nothing is waiting to be sent.
func (x *exchange) readBody() bool {
	c := x.c
	n, ok := c.read(x.w.rbuf)
	if !ok {
		if c.eof {
			c.abort() // the body was cut off
		}
		return c.broken
	}
	x.replayable = false
	x.w.put(x.send)
	x.send, x.sent = nil, 0
	out, rest, err := x.takeBody(x.w.wbuf[:0], x.w.rbuf[:n])
	x.keepRest(rest)
	if err != nil {
		c.count().badRequest.Add(1)
		x.fail(err.Status)
		return true
	}
	k := 0
	if x.up.writable {
		k, ok = x.up.write(out)
		x.handed = true
		if !ok {
			x.backendDeaf()
			return true
		}
	}
	if k < len(out) {
		x.send = append(x.w.get(len(out)-k), out[k:]...)
	}
	return true
}

// arm sets the timers for what the exchange waits for now.
func (x *exchange) arm() {
	c, u, now := x.c, x.up, x.w.Now()
	forClient := len(x.out) > x.taken || u != nil && !u.connecting && !x.reqDone && !x.deaf && x.sent == len(x.send)
	switch {
	case forClient:
		x.w.Wheel.Set(&c.timer, c, c.last+x.view.cfg.Timeouts.Client)
	case c.eof && !x.started:
		if x.halfEnd == 0 {
			x.halfEnd = now + x.view.cfg.Timeouts.HalfClose
		}
		x.w.Wheel.Set(&c.timer, c, x.halfEnd)
	default:
		c.last = now
		x.w.Wheel.Stop(&c.timer)
	}
	switch {
	case u == nil || u.connecting:
	case forClient:
		u.last = now
		x.w.Wheel.Stop(&u.timer)
	default:
		x.w.Wheel.Set(&u.timer, u, u.last+x.pool.cfg.Timeouts.Server)
	}
}

// clientTimeout is called when the client was waited for in vain.
func (x *exchange) clientTimeout() {
	if len(x.out) > x.taken || x.started || x.c.eof {
		x.c.abort()
		return
	}
	x.c.count().headerTime.Add(1)
	x.fail(408)
}

// answer makes an answer of our own the whole answer.
func (x *exchange) answer(status int) {
	x.keep = x.wantsKeep && x.reqDone
	x.started, x.respDone = true, true
	x.c.count().responses[status/100].Add(1)
	x.out = http1.AppendError(append(x.w.get(smallBuffer), x.out[x.taken:]...), status, !x.keep, x.headOnly)
	x.taken = 0
}

// fail gives the request up: with an answer if none has begun, else by cutting
// the connection.
func (x *exchange) fail(status int) {
	x.dropUpstream()
	if x.started {
		x.c.count().cut.Add(1)
		if x.framing == http1.UntilClose {
			loop.Reset(int(x.c.fd)) // only so can the client tell it from the end
		}
		x.c.close()
		return
	}
	x.answer(status)
}

// end is called when the answer is with the kernel.
func (x *exchange) end() {
	c := x.c
	unread := !x.reqDone
	if u := x.up; u != nil {
		x.up = nil
		u.release(x.resp.KeepAlive && x.reqDone && !x.deaf && x.sent == len(x.send))
	}
	keep, next := x.keep && x.reqDone, x.unparsed
	x.reset()
	switch {
	case !keep:
		c.finish(unread || next)
	case next:
		x.unparsed = true
		c.next()
	default:
		c.w.freeExchange(x)
		c.x = nil
		c.next()
	}
}
