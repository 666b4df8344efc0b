package lbcore

import (
	"golang.org/x/net/http2"

	"github.com/tandem-lb/tandem/lbcore/internal/h2"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// h2stream is what carries the bytes of a client that is a stream of an HTTP/2 connection: a transport without a socket
// of its own. The client's fd is that of the connection, for its addresses.
type h2stream struct {
	h *h2session
	s *h2.Stream
}

// open makes a client of a stream that has begun.
func (h *h2session) open(s *h2.Stream) {
	all := new(struct {
		client
		transport
		h2stream
	})
	c := h.c
	all.h2stream = h2stream{h, s}
	all.transport = transport{port: c.via.port, proto: c.via.proto, src: c.via.src, dst: c.via.dst, stream: &all.h2stream}
	v := &all.client
	*v = client{w: c.w, via: &all.transport, f: c.f, fd: c.fd, peer: c.peer, port: c.port, readable: true, writable: true, phase: phaseHead}
	s.Owner = v
	h.streams[v] = struct{}{}
	if c.f.retired.Load() || c.w.draining.Load() {
		h.leave()
	}
	if s.TooLarge {
		v.x = c.w.newExchange(v)
		v.x.setView(c.f.view.Load())
		v.refuse(431, "head-too-large")
	}
	v.run()
}

// unregistered says that the connection is one, and is not in epoll.
func (c *client) unregistered() bool { return c.token == 0 && c.via.stream == nil }

// resetAtClose has the client see that what it was told is not whole.
func (c *client) resetAtClose() {
	if c.via.stream == nil { // a stream is reset wherever its answer is not whole
		loop.Reset(int(c.fd))
	}
}

// readStream is client.read of a stream. Its bytes were counted when they came.
func (c *client) readStream(buf []byte) (n int, ok bool) {
	s := c.via.stream.s
	n = s.Read(buf)
	c.readable = s.Readable()
	if c.moved(n); c.x != nil {
		c.x.rec.in += uint64(n)
	}
	return n, n > 0
}

// writeStream is client.write of a stream.
func (c *client) writeStream(buf []byte) int {
	conn := c.via.stream.h.conn
	conn.Out = c.w.growOut(conn.Out, len(buf))
	n, ok := c.via.stream.s.Write(buf)
	c.broken = c.broken || !ok
	if n < len(buf) {
		c.writable = false
	}
	if c.moved(n); c.x != nil {
		c.x.rec.out += uint64(n)
	}
	return n
}

// end is close's part for a stream.
func (t *h2stream) end(c *client) {
	delete(t.h.streams, c)
	t.h.idle = c.w.Now()
	code := http2.ErrCodeInternal // the answer could not be completed
	if c.broken {
		code = http2.ErrCodeCancel
	}
	t.s.Close(code)
	t.h.wake(nil, false)
}
