package lbcore

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/h2"
)

// What a connection to a backend may have under way. Its window is as large as those of all its streams: a client that
// does not take its answer then holds up nobody else's.
const (
	trunkStreams = 100
	trunkStream  = 128 << 10 // bytes that a backend may send ahead of what one client has taken
	trunkWindow  = trunkStreams * trunkStream
	trunkFields  = 64 << 10
)

var errNoHTTP2 = errors.New("does not speak HTTP/2")

// h2trunk is HTTP/2 on a connection to a backend. Each of its streams is an upstream by itself, whose bytes are HTTP/1.1:
// see internal/h2.
type h2trunk struct {
	u       *upstream // the connection
	conn    *h2.Conn
	in      []byte // what has come and was not taken: part of a frame
	calls   map[*upstream]struct{}
	pumping bool
	queued  bool
	retired bool // takes no more streams
	errno   syscall.Errno
	dead    bool // the connection has ended, because of errno
}

// h2call is what carries the bytes of an upstream that is a stream of an HTTP/2 connection.
type h2call struct {
	t *h2trunk
	s *h2.Stream
}

// speakHTTP2 makes of a fresh connection one that carries streams, the first of them for its exchange.
func (u *upstream) speakHTTP2() {
	x := u.x
	t := &h2trunk{u: u, calls: make(map[*upstream]struct{})}
	t.conn = h2.New(h2.Config{
		TLS: u.tls != nil, StreamWindow: trunkStream, ConnWindow: trunkWindow, HeaderList: trunkFields,
	})
	u.trunk, u.x, x.up = t, nil, nil
	u.unlink()
	u.w.Wheel.Stop(&u.timer)
	u.setPatience(x.pool.cfg.Timeouts.Server)
	conns := &u.slot().conns
	conns.trunks = append(conns.trunks, t)
	x.join(t.open())
	t.wake()
}

// openStream returns a stream on a connection to b that there is already, or nil.
func (w *worker) openStream(b *Backend, secure bool) *upstream {
	for _, t := range b.slots[w.slot].conns.trunks {
		if (t.u.tls != nil) != secure { // from before a reload
			continue
		}
		if v := t.open(); v != nil {
			v.reused = true
			return v
		}
	}
	return nil
}

// open returns a new stream, or nil.
func (t *h2trunk) open() *upstream {
	if t.dead || t.retired || t.conn.Streams() >= trunkStreams {
		return nil
	}
	s := t.conn.Open()
	if s == nil {
		return nil
	}
	v := &upstream{w: t.u.w, b: t.u.b, writable: true, stream: &h2call{t, s}}
	s.Owner = v
	t.calls[v] = struct{}{}
	t.u.w.Wheel.Stop(&t.u.timer)
	return v
}

// pump sends, reads and sends.
func (t *h2trunk) pump() {
	t.pumping, t.queued = true, false
	t.flush()
	t.resume()
	more := t.read()
	t.resume()
	t.flush()
	t.pumping = false
	switch {
	case t.u.token == 0: // closed meanwhile
	case t.dead:
		t.lose()
	case len(t.calls) == 0 && (t.conn.Over() || t.retired):
		t.u.close()
	case more:
		t.wake()
	}
}

// wake has the trunk pumped in this round, if it is not being pumped.
func (t *h2trunk) wake() {
	if t.pumping || t.queued || t.u.token == 0 {
		return
	}
	t.queued = true
	t.u.w.Again(t.u.token)
}

// read takes what the backend has sent, once. It reports whether there may be more.
func (t *h2trunk) read() bool {
	u := t.u
	if t.dead || !u.readable || len(t.conn.Out) >= h2Out {
		return false
	}
	if cap(t.in)-len(t.in) < smallBuffer {
		t.in = u.w.grow(t.in, readSize-len(t.in))
	}
	n, ok, errno := u.read(t.in[len(t.in):cap(t.in)])
	if ok && n == 0 {
		t.dead, t.errno = true, errno
	}
	t.in = t.in[:len(t.in)+n]
	taken := 0
	for n > 0 && !t.dead {
		k, s, err := t.conn.Next(u.w.Now(), t.in[taken:])
		taken += k
		if s != nil {
			t.changed(s)
		}
		for s := t.conn.Lost(); s != nil; s = t.conn.Lost() {
			t.changed(s)
		}
		if err != nil {
			t.dead, t.errno = true, unix.EPROTO
		}
		if k == 0 {
			break
		}
	}
	t.in = t.in[:copy(t.in, t.in[taken:])]
	if len(t.in) == 0 {
		u.w.put(t.in)
		t.in = nil
	}
	return ok && u.readable
}

// changed deals with a stream on which something has come.
func (t *h2trunk) changed(s *h2.Stream) {
	if v, ok := s.Owner.(*upstream); ok {
		v.readable = true
		v.x.c.run()
	}
}

// resume lets streams go on that had to wait for a window or for room.
func (t *h2trunk) resume() {
	for s := t.conn.Writable(); s != nil; s = t.conn.Writable() {
		if v, ok := s.Owner.(*upstream); ok {
			v.writable = true
			v.x.c.run()
		}
		if len(t.conn.Out) >= h2Out {
			t.flush()
		}
	}
}

// flush sends what waits for the backend, as far as it takes it.
func (t *h2trunk) flush() {
	u := t.u
	for u.writable && !t.dead {
		if u.sealedWaits() {
			done, ok := u.flushSecured()
			if !ok {
				t.dead, t.errno = true, unix.ECONNRESET
			}
			if !done {
				break
			}
		}
		out := t.conn.Out
		if len(out) == 0 {
			break
		}
		n, ok := u.write(out)
		if !ok {
			t.dead, t.errno = true, unix.ECONNRESET
		}
		t.conn.Out = out[:copy(out, out[n:])]
	}
	if len(t.conn.Out) == 0 {
		u.w.put(t.conn.Out)
		t.conn.Out = nil
	}
}

// lose ends the connection, and tells its streams, which may be made anew elsewhere.
func (t *h2trunk) lose() {
	t.remove()
	for v := range t.calls {
		v.readable = true
		v.x.c.run()
	}
	if t.u.token != 0 {
		t.u.spoilt = true
		t.u.close()
	}
}

// retire has the connection end with its last stream.
func (t *h2trunk) retire() {
	t.retired = true
	if len(t.calls) == 0 {
		t.u.close()
	}
}

// remove takes the trunk out of the list, so that it is given no more streams.
func (t *h2trunk) remove() {
	conns := &t.u.slot().conns
	conns.trunks = slices.DeleteFunc(conns.trunks, func(o *h2trunk) bool { return o == t })
}

// end is close's part with HTTP/2.
func (t *h2trunk) end() {
	t.remove()
	t.dead = true
	t.u.w.put(t.in)
	t.u.w.put(t.conn.Out)
	t.in, t.conn.Out = nil, nil
}

// readStream is upstream.read of a stream.
func (u *upstream) readStream(buf []byte) (n int, ok bool, errno syscall.Errno) {
	c := u.stream
	n = c.s.Read(buf)
	reset, refused := c.s.Reset()
	if n == 0 {
		switch {
		case refused:
			u.x.handed = false // the backend says that it has not acted upon it (RFC 9113, 8.7)
			return 0, true, unix.ECONNREFUSED
		case reset:
			return 0, true, unix.ECONNRESET
		case c.t.dead:
			return 0, true, c.t.errno
		}
		u.readable = false
		return 0, false, 0
	}
	u.readable = c.s.Readable() || reset || c.t.dead
	u.last = u.w.Now()
	c.t.wake() // a window may have been opened
	return n, true, 0
}

// writeStream is upstream.write of a stream.
func (u *upstream) writeStream(buf []byte) (n int, ok bool) {
	c := u.stream
	if c.t.dead {
		return 0, false
	}
	c.t.conn.Out = u.w.growOut(c.t.conn.Out, len(buf))
	n, ok = c.s.Write(buf)
	if n < len(buf) {
		u.writable = false
	}
	if n > 0 {
		u.last = u.w.Now()
	}
	c.t.wake()
	return n, ok
}

// end is close's part for a stream.
func (c *h2call) end(u *upstream) {
	t := c.t
	delete(t.calls, u)
	if t.dead {
		return
	}
	c.s.Close(http2.ErrCodeCancel)
	if len(t.calls) == 0 {
		if !t.u.b.status.Load().up || t.u.b.retired.Load() {
			t.retired = true
		}
		t.u.w.Wheel.Set(&t.u.timer, t.u, t.u.w.Now()+t.u.b.pool.view.Load().cfg.Timeouts.Idle)
	}
	t.wake()
}
