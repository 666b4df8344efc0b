package lbcore

import (
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// tunnel is what an exchange becomes when the backend has switched protocols
// (RFC 9110, 7.8): bytes go both ways as they are. Each way ends by itself; who
// is cut off is not told an orderly end.
type tunnel struct {
	open        bool
	clientDone  bool // has sent its last byte, and the backend was told
	backendDone bool // has sent its last byte
	clientShut  bool // was told so
	backendGone bool // was reset after that
	upMuch      bool // so much came from the client at once that a pipe is cheaper
	downMuch    bool // and from the backend
}

// openTunnel turns the exchange into a tunnel. Bytes that the client has sent
// behind its request are its first ones.
func (x *exchange) openTunnel() {
	x.w.put(x.send)
	x.send, x.sent, x.replayable = nil, 0, false
	if x.unparsed {
		x.send, x.in, x.unparsed = x.in, nil, false
	}
	x.tunnel = tunnel{open: true}
	if !x.raw {
		x.countLatency()
	}
	x.c.phase = phaseTunnel
	x.w.inFlight.Add(-1)
	x.w.tunnels.Add(1)
	x.c.count().tunnels.Add(1)
	x.w.Wheel.Stop(&x.up.timer)
	x.up.setPatience(x.view.cfg.Timeouts.Tunnel)
}

// countTunnelEnd is called once for each openTunnel.
func (x *exchange) countTunnelEnd() {
	x.w.inFlight.Add(1)
	x.w.tunnels.Add(-1)
	x.c.count().tunnels.Add(-1)
}

// pumpTunnel moves what can be moved, in both directions. It reports whether
// there may be more to do.
func (x *exchange) pumpTunnel() bool {
	more, ok := x.tunnelUp()
	ok = ok && !x.tunnel.backendGone
	if ok && !x.c.broken {
		var down bool
		down, ok = x.tunnelDown()
		more = more || down
	}
	switch {
	case x.c.broken: // the caller ends it
	case !ok:
		x.c.count().cut.Add(1)
		x.rec.close('S', 'D', "cut")
		loop.Reset(int(x.c.fd))
		x.c.close()
	case x.tunnel.clientShut && x.tunnel.clientDone:
		x.c.close()
	default:
		return more
	}
	return false
}

// tunnelUp moves bytes from the client to the backend; ok is false if the
// backend's connection is gone.
func (x *exchange) tunnelUp() (more, ok bool) {
	c, u, t := x.c, x.up, &x.tunnel
	switch {
	case x.sendWaits():
		return x.flushUp()
	case t.clientDone:
		return false, true
	case c.eof && !c.readable:
		t.clientDone = u.closeWrite()
		return false, true
	case !c.readable:
		return false, true
	}
	if t.upMuch {
		if more, ok, done := x.spliceUp(); done {
			return more, ok
		}
	}
	n, got := c.read(x.w.rbuf)
	if !got {
		return c.eof && !c.readable, true
	}
	t.upMuch = n >= spliceMin && x.plain()
	k := 0
	if u.writable {
		if k, ok = u.write(x.w.rbuf[:n]); !ok {
			return false, false
		}
	}
	if k < n {
		x.send = append(x.w.get(n-k), x.w.rbuf[k:n]...)
	}
	return true, true
}

// flushUp sends what waits for the backend.
func (x *exchange) flushUp() (more, ok bool) {
	u := x.up
	switch {
	case !u.writable:
		return false, true
	case u.sealedWaits():
		return u.flushSecured()
	case x.sendPipe != nil:
		x.sendPipe, ok = u.drainPipe(x.sendPipe)
		return x.sendPipe == nil, ok
	}
	n, ok := u.write(x.send[x.sent:])
	if x.sent += n; x.sent == len(x.send) {
		x.w.put(x.send)
		x.send, x.sent = nil, 0
		return true, ok
	}
	return false, ok
}

// spliceUp is tunnelUp through a pipe; done is false if there is none to be had.
func (x *exchange) spliceUp() (more, ok, done bool) {
	c := x.c
	p, got := c.fill(loop.PipeSize)
	switch {
	case !got:
		return false, true, false
	case p == nil:
		return c.eof && !c.readable, true, true
	}
	x.tunnel.upMuch = p.Held() >= spliceMin
	x.sendPipe, ok = x.up.drainPipe(p)
	return true, ok, true
}

// tunnelDown moves bytes from the backend to the client; ok is false if the
// backend's connection is gone.
func (x *exchange) tunnelDown() (more, ok bool) {
	u, t := x.up, &x.tunnel
	switch {
	case x.outWaits():
		return x.flush(), true
	case t.clientShut:
		return false, true
	case t.backendDone:
		t.clientShut = x.c.closeWrite()
		return t.clientShut != x.outWaits(), true
	case !u.readable:
		return false, true
	}
	if t.downMuch {
		if p, ended, got, errno := u.fill(loop.PipeSize); got {
			switch {
			case ended:
				t.backendDone = errno == 0
				return true, errno == 0
			case p == nil:
				return false, true
			}
			t.downMuch = p.Held() >= spliceMin
			x.outPipe = x.c.drainPipe(p)
			return true, true
		}
	}
	n, got, errno := u.read(x.w.rbuf)
	switch {
	case !got:
		return false, true
	case errno != 0:
		return false, false
	case n == 0:
		t.backendDone = true
		return true, true
	}
	t.downMuch = n >= spliceMin && x.plain()
	x.deliver(x.w.rbuf[:n])
	return true, true
}

// tunnelDeadline is when a tunnel in which nothing moves is closed.
func (x *exchange) tunnelDeadline() time.Duration {
	return max(x.lastMove, x.up.last) + x.view.cfg.Timeouts.Tunnel
}
