package lbcore

import (
	"errors"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// transport is what carries a client's bytes. The plain connections of a listener
// share one; others have their own.
type transport struct {
	port     []byte         // that it was accepted on, as text
	proto    []byte         // as backends are told it
	tls      *secured       // nil: none
	src, dst netip.AddrPort // as a PROXY header has told them; else invalid

	h2     *h2session // what speaks HTTP/2 on this connection; nil: nothing
	stream *h2stream  // that is all there is of this connection; nil: it is one
}

var (
	protoHTTP  = []byte("http")
	protoHTTPS = []byte("https")
)

// read fills buf with what has come. ok is false if nothing did; at the end of
// the stream, or on an error, the connection is marked so.
func (c *client) read(buf []byte) (n int, ok bool) {
	switch {
	case c.via.stream != nil:
		return c.readStream(buf)
	case c.via.tls != nil:
		return c.readSecured(buf)
	}
	return c.receive(buf)
}

// receive is read past TLS.
func (c *client) receive(buf []byte) (n int, ok bool) {
	n, errno := loop.Receive(int(c.fd), buf)
	switch {
	case errno == unix.EAGAIN:
		c.readable = false
		return 0, false
	case errno != 0:
		c.broken = true
		return 0, false
	case n == 0:
		c.eof, c.readable = true, false
		return 0, false
	}
	if n < len(buf) {
		c.readable = c.eof // an end that was told already is still to be read
	}
	c.got(n)
	return n, true
}

// write sends as much of buf as the client takes now. last says that the
// connection ends behind it.
func (c *client) write(buf []byte, last bool) int {
	switch {
	case c.via.stream != nil:
		return c.writeStream(buf)
	case c.via.tls != nil:
		return c.writeSecured(buf, last)
	}
	send := loop.Write
	if last {
		send = loop.WriteLast
	}
	n, errno := send(int(c.fd), buf)
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
	c.gave(n)
	return n
}

// moved notes that the client brought or took n bytes.
func (c *client) moved(n int) {
	if c.x != nil {
		c.x.lastMove = c.w.Now()
		c.x.slow.moved += n
	}
}

// got counts bytes from the client, and gave bytes to it.
func (c *client) got(n int) {
	c.count().bytesIn.Add(uint64(n))
	if c.moved(n); c.x != nil {
		c.x.rec.in += uint64(n)
	}
}

func (c *client) gave(n int) {
	c.count().bytesOut.Add(uint64(n))
	if c.moved(n); c.x != nil {
		c.x.rec.out += uint64(n)
	}
}

// readSecured is client.read with TLS.
func (c *client) readSecured(buf []byte) (n int, ok bool) {
	n, err := c.via.tls.receive(buf)
	switch {
	case errors.Is(err, errAgain):
		c.readable = false
	case errors.Is(err, io.EOF):
		c.eof, c.readable = true, false
	case err != nil:
		c.broken = true
	}
	if n == 0 {
		return 0, false
	}
	c.got(n)
	return n, true
}

// writeSecured is client.write with TLS.
func (c *client) writeSecured(buf []byte, last bool) int {
	s := c.via.tls
	n, broken := s.send(buf, last)
	c.broken = c.broken || broken
	if s.waits() {
		c.writable = false
	}
	c.gave(n)
	return n
}

// sealedWaits says that bytes wait for the client that its exchange has got rid of.
func (c *client) sealedWaits() bool { return c.via.tls != nil && c.via.tls.waits() }

// flushSecured sends what waits. It reports whether everything was sent.
func (c *client) flushSecured() bool {
	s := c.via.tls
	before := s.taken
	broken := s.flush()
	c.broken = c.broken || broken
	if s.waits() {
		c.writable = false
		c.moved(s.taken - before)
		return false
	}
	return !broken
}

// closeWrite sends the end of the stream; false if it must be called again, when
// what waits has been sent.
func (c *client) closeWrite() bool {
	if s := c.via.tls; s != nil {
		s.notify()
		c.broken = s.push(true) || c.broken
		if s.waits() {
			c.writable = false
			return false
		}
	}
	loop.CloseWrite(int(c.fd))
	return true
}

// endSecured is close's part with TLS. Who waits for a next request is told the end.
func (c *client) endSecured() {
	s := c.via.tls
	if c.phase == phaseHead && !c.broken && !s.waits() {
		s.notify()
		_ = s.push(true)
	}
	s.drop()
	c.w.seal = c.w.seal[:0]
}

// sentAhead says that the client has sent more than the request that was read.
func (x *exchange) sentAhead() bool {
	c := x.c
	if c.via.tls == nil {
		return loop.Waiting(int(c.fd))
	}
	x.in = c.w.get(smallBuffer)
	n, _ := c.readSecured(x.in[:cap(x.in)])
	if n == 0 {
		x.w.put(x.in)
		x.in = nil
		return false
	}
	x.in, x.unparsed = x.in[:n], true
	return true
}
