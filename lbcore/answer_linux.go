package lbcore

import (
	"errors"
	"syscall"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

var (
	errManyInterim = errors.New("too many interim answers")
	errEarlySwitch = errors.New("switched protocols before it had the whole request")
)

// readAnswer takes bytes from the backend and passes on what they hold of the
// answer. It is called only when nothing waits for the client, so that a slow
// client stops the backend. It reports whether there may be more to do.
func (x *exchange) readAnswer() bool {
	if more, ok := x.spliceAnswer(); ok {
		return more
	}
	u := x.up
	buf := x.w.rbuf
	if !x.started {
		buf = buf[:firstRead]
	}
	if len(x.rin) > 0 {
		x.rin = x.w.grow(x.rin, smallBuffer/4)
		buf = x.rin[len(x.rin):cap(x.rin)]
	}
	last := u.last
	n, ok, errno := u.read(buf)
	switch {
	case !ok:
		return false
	case n == 0:
		x.backendEnded(errno)
		return true
	case len(x.rin) > 0:
		u.last = last // a head that comes byte by byte has no more time than another
	}
	x.answered = true
	data := buf[:n]
	if len(x.rin) > 0 {
		x.rin = x.rin[:len(x.rin)+n]
		data = x.rin
	}
	x.pass(data)
	return true
}

// pass parses what came from the backend and gives it to the client. All of
// data is used: what the client does not take is kept in x.out.
func (x *exchange) pass(data []byte) {
	out := x.w.wbuf[:0]
	for !x.started {
		n, err := x.resp.Parse(data, &x.view.limits, http1.Asked{Head: x.headOnly, Upgrade: x.upgrade})
		if err != nil {
			x.deliver(out)
			x.failed(malformed, err)
			return
		}
		if n == 0 {
			x.keepHead(data)
			x.deliver(out)
			return
		}
		if err := x.unacceptable(); err != nil {
			x.deliver(out)
			x.failed(malformed, err)
			return
		}
		out = x.passHead(out)
		data = data[n:]
	}
	if x.resp.Upgrade != nil {
		x.deliver(append(out, data...))
		x.w.put(x.rin)
		x.rin = nil
		x.openTunnel()
		return
	}
	out, data, err := x.passBody(out, data)
	if len(data) > 0 {
		x.up.spoilt = true // nothing was asked that this could answer
	}
	x.deliver(out) // which may lie in x.rin
	x.w.put(x.rin)
	x.rin = nil
	if err != nil {
		x.failed(malformed, err)
	}
}

// unacceptable says what is wrong with the head in x.resp, which is well-formed.
func (x *exchange) unacceptable() error {
	switch {
	case x.resp.Interim():
		if x.interim++; x.interim > maxInterim {
			return errManyInterim
		}
	case x.resp.Upgrade != nil && (!x.reqDone || x.sendWaits()):
		return errEarlySwitch
	}
	return nil
}

// keepHead stores an incomplete head, which may lie in x.rin.
func (x *exchange) keepHead(data []byte) {
	if cap(x.rin) > 0 {
		x.rin = x.rin[:copy(x.rin[:cap(x.rin)], data)]
		return
	}
	if len(data) > 0 {
		x.rin = append(x.w.get(len(data)+smallBuffer/4), data...)
	}
}

// passHead appends the client's form of the head in x.resp. If it is the final
// one, the body is next.
func (x *exchange) passHead(out []byte) []byte {
	p := &x.resp
	final := !p.Interim()
	x.keep = x.mayKeep()
	if final && !x.reqDone {
		x.keep = false // the rest of the request would have to be read and dropped
	}
	r := http1.Reply{Minor: x.minor, KeepAlive: x.keep, Date: x.w.httpDate(), Trailers: x.c.via.stream != nil, Set: x.set}
	if final {
		r.Cookie = x.setCookie()
	}
	framing := r.Framing(p)
	out = http1.AppendResponse(out, p, &r)
	class := min(p.Status/100, 5)
	x.c.count().responses[class].Add(1)
	x.up.count().responses[class].Add(1)
	x.pool.slots[x.w.slot].responses[class].Add(1)
	if final {
		x.started = true
		x.up.b.answered(class, &x.pool.cfg.Outlier)
		x.rec.status, x.rec.head = p.Status, x.w.Now()
		took := x.w.Now() - x.since
		x.up.count().latency.observe(took)
		x.pool.slots[x.w.slot].latency.observe(took)
		x.framing = framing.Kind
		x.respBody.Reset(p.Body, 0, true)
		if x.c.via.stream != nil {
			x.respBody.KeepTrailers()
		}
		if framing.Kind == http1.UntilClose {
			x.keep = false
		}
	}
	return out
}

// passBody appends what data holds of the body, framed for the client, and
// returns what follows the body. If it can, it returns a part of data instead
// of copying it.
func (x *exchange) passBody(out, data []byte) (payload, rest []byte, err *http1.Error) {
	for {
		part, n, done, err := x.respBody.Next(data)
		if err != nil {
			return out, nil, err
		}
		data = data[n:]
		switch {
		case x.framing == http1.Chunked:
			out = http1.AppendChunk(out, part)
		case len(out) == 0 && len(data) == 0:
			out = part
		default:
			out = append(out, part...)
		}
		if done {
			x.respDone = true
			if x.framing == http1.Chunked {
				out = x.respBody.AppendEnd(out)
			}
			return out, data, nil
		}
		if len(data) == 0 || n == 0 {
			return out, data, nil
		}
	}
}

// deliver sends to the client and keeps what it does not take.
func (x *exchange) deliver(out []byte) {
	if len(out) == 0 {
		return
	}
	n := 0
	if x.c.writable {
		n = x.c.write(out, x.respDone && !x.keep)
	}
	if n < len(out) {
		x.out = append(x.w.get(len(out)-n), out[n:]...)
		x.taken = 0
	}
}

// backendEnded is called when the backend's connection ended: in order if errno
// is 0.
func (x *exchange) backendEnded(errno syscall.Errno) {
	x.up.spoilt = true
	var err error = errno
	if errno == 0 {
		err = errEnded
	}
	switch {
	case !x.answered:
		x.failed(died, err)
	case !x.started:
		x.failed(malformed, err)
	case errno == 0 && x.respBody.EOF() == nil:
		x.respDone = true
		if x.framing == http1.Chunked {
			x.deliver([]byte(http1.LastChunk))
		}
	default:
		x.failed(malformed, err)
	}
}
