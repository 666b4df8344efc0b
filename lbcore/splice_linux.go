package lbcore

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

const (
	// spliceMin is from how many bytes on a pipe is cheaper than copying.
	spliceMin = 32 << 10
	// maxPipes bounds the pipes of one loop, and so the memory that stalled
	// connections can hold in them; who gets none is copied.
	maxPipes = 64
)

// takePipe returns an empty pipe, or nil if there are too many. A connection
// keeps one only while something is in it.
func (w *worker) takePipe() *loop.Pipe {
	if n := len(w.freePipes); n > 0 {
		p := w.freePipes[n-1]
		w.freePipes = w.freePipes[:n-1]
		return p
	}
	if len(w.pipes) >= maxPipes {
		return nil
	}
	p, errno := loop.NewPipe()
	if errno != 0 {
		return nil
	}
	w.pipes = append(w.pipes, p)
	return p
}

// putPipe takes a pipe back; nil is fine. One that is not empty is of no use to
// others.
func (w *worker) putPipe(p *loop.Pipe) {
	switch {
	case p == nil:
	case p.Held() == 0:
		w.freePipes = append(w.freePipes, p)
	default:
		w.pipes = slices.DeleteFunc(w.pipes, func(o *loop.Pipe) bool { return o == p })
		p.Close()
	}
}

// closePipes is for after the loop's end.
func (w *worker) closePipes() {
	for _, p := range w.pipes {
		p.Close()
	}
}

// fill is read into a pipe, of at most most bytes; p is nil if nothing came. ok
// is false if there is no pipe to be had.
func (c *client) fill(most int64) (p *loop.Pipe, ok bool) {
	p = c.w.takePipe()
	if p == nil {
		return nil, false
	}
	n, errno := p.Fill(int(c.fd), most)
	switch {
	case errno == unix.EAGAIN:
		c.readable = false
	case errno != 0:
		c.broken = true
	case n == 0:
		c.eof, c.readable = true, false
	default:
		c.got(n)
		return p, true
	}
	c.w.putPipe(p)
	return nil, true
}

// drainPipe sends what is in p; it returns what is left of p: nil once it is empty.
func (c *client) drainPipe(p *loop.Pipe) *loop.Pipe {
	for c.writable {
		n, errno := p.Drain(int(c.fd))
		switch {
		case errno == unix.EAGAIN:
			c.writable = false
		case errno != 0:
			c.broken = true
			return p
		default:
			c.gave(n)
			if p.Held() == 0 {
				c.w.putPipe(p)
				return nil
			}
		}
	}
	return p
}

// fill is read into a pipe: see client.fill. ended tells the end of the
// connection, in order if errno is 0.
func (u *upstream) fill(most int64) (p *loop.Pipe, ended, ok bool, errno syscall.Errno) {
	p = u.w.takePipe()
	if p == nil {
		return nil, false, false, 0
	}
	n, errno := p.Fill(int(u.fd), most)
	if n > 0 {
		u.last = u.w.Now()
		u.count().bytesIn.Add(uint64(n))
		return p, false, true, 0
	}
	u.w.putPipe(p)
	if errno == unix.EAGAIN {
		u.readable = false
		return nil, false, true, 0
	}
	return nil, true, true, errno
}

// drainPipe sends what is in p; ok is false if the connection is gone. It
// returns what is left of p: nil once it is empty.
func (u *upstream) drainPipe(p *loop.Pipe) (rest *loop.Pipe, ok bool) {
	for u.writable {
		n, errno := p.Drain(int(u.fd))
		switch {
		case errno == unix.EAGAIN:
			u.writable = false
		case errno != 0:
			return p, false
		default:
			u.last = u.w.Now()
			u.count().bytesOut.Add(uint64(n))
			if p.Held() == 0 {
				u.w.putPipe(p)
				return nil, true
			}
		}
	}
	return p, true
}

// plain says that bytes pass as they are: without TLS on either side.
func (x *exchange) plain() bool {
	return x.c.via.tls == nil && x.c.via.stream == nil && x.up.tls == nil && x.up.stream == nil
}

// spliceAnswer passes on a part of a large body. ok is false if it is to be
// copied.
func (x *exchange) spliceAnswer() (more, ok bool) {
	if !x.plain() || !x.started || x.framing == http1.Chunked || len(x.rin) > 0 || x.respBody.Raw() < spliceMin {
		return false, false
	}
	p, ended, ok, errno := x.up.fill(x.respBody.Raw())
	switch {
	case !ok:
		return false, false
	case ended:
		x.backendEnded(errno)
		return true, true
	case p == nil:
		return false, true
	}
	x.respBody.Advance(int64(p.Held()))
	x.respDone = x.respBody.Done()
	x.outPipe = x.c.drainPipe(p)
	return true, true
}

// spliceBody passes on a part of a large request body. ok is false if it is to
// be copied.
func (x *exchange) spliceBody() (more, ok bool) {
	if !x.plain() || x.chunked || x.reqBody.Raw() < spliceMin {
		return false, false
	}
	c := x.c
	p, ok := c.fill(x.reqBody.Raw())
	switch {
	case !ok:
		return false, false
	case p == nil:
		if c.eof && !c.readable {
			c.abort() // the body was cut off
		}
		return c.broken, true
	}
	x.replayable = false
	x.w.put(x.send)
	x.send, x.sent = nil, 0
	x.reqBody.Advance(int64(p.Held()))
	x.reqDone = x.reqBody.Done()
	x.handed = true
	x.sendPipe = p
	x.flushSendPipe()
	return true, true
}

// flushSendPipe sends what waits for the backend in the pipe.
func (x *exchange) flushSendPipe() (more bool) {
	rest, ok := x.up.drainPipe(x.sendPipe)
	x.sendPipe = rest
	if !ok {
		x.backendDeaf()
	}
	return rest == nil || !ok
}
