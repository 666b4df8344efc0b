package lbcore

import (
	"crypto/tls"
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// connected goes on once the TCP handshake is done: with a PROXY header and a TLS
// handshake, where the pool wants them.
func (u *upstream) connected() {
	x := u.x
	if !u.introduce() {
		x.failed(connectFailed, syscall.ECONNRESET)
		return
	}
	t := x.pool.tls
	if t == nil {
		u.ready()
		return
	}
	u.tls = &secured{w: u.w, fd: u.fd}
	u.tls.conn = tls.Client(u.tls, t.config(u.b.addr.Addr(), x.raw))
	u.w.shake(u.tls, nil, u.shaken)
}

func (u *upstream) ready() {
	u.connecting = false
	u.last = u.w.Now()
	u.x.rec.linked = u.last
	if u.x.pool.cfg.http2() && !u.x.raw {
		u.speakHTTP2()
	}
}

// shaken is called when the TLS handshake is over. The connection may have been given
// up meanwhile.
func (u *upstream) shaken(err error) {
	x := u.x
	if x == nil {
		u.w.Close(u.token)
		u.token = 0
		return
	}
	c := x.c
	if err == nil && x.pool.cfg.http2() && !x.raw && u.tls.conn.ConnectionState().NegotiatedProtocol != alpnHTTP2 {
		err = errNoHTTP2
	}
	if err != nil {
		x.failed(connectFailed, err)
	} else {
		u.readable, u.writable = true, true
		u.ready()
	}
	c.run()
}

// closeSecured is close's part with TLS; false if a handshake is under way, which
// must end first.
func (u *upstream) closeSecured() bool {
	if h := u.tls.shaking; h != nil {
		h.abort()
		return false
	}
	if !u.tls.waits() && !u.spoilt {
		u.tls.notify()
		_ = u.tls.push(false)
	}
	u.tls.drop()
	u.w.seal = u.w.seal[:0]
	return true
}

// readSecured is read with TLS.
func (u *upstream) readSecured(buf []byte) (n int, ok bool, errno syscall.Errno) {
	n, err := u.tls.receive(buf)
	if n > 0 {
		if errors.Is(err, errAgain) {
			u.readable = false
		}
		u.last = u.w.Now()
		u.count().bytesIn.Add(uint64(n))
		return n, true, 0
	}
	switch {
	case errors.Is(err, errAgain):
		u.readable = false
		return 0, false, 0
	case errors.Is(err, io.EOF) && !u.tls.cutOff:
		return 0, true, 0
	}
	return 0, true, unix.ECONNRESET
}

// writeSecured is write with TLS: it takes a piece more than is sent, which waits.
func (u *upstream) writeSecured(buf []byte) (n int, ok bool) {
	broken := u.tls.flush()
	if !broken && !u.tls.waits() {
		n, broken = u.tls.send(buf, false)
	}
	if u.tls.waits() {
		u.writable = false
	}
	if n > 0 {
		u.last = u.w.Now()
	}
	u.count().bytesOut.Add(uint64(n))
	return n, !broken
}

// sealedWaits says that bytes wait for the backend that the exchange has got rid of.
func (u *upstream) sealedWaits() bool { return u != nil && u.tls != nil && u.tls.waits() }

// flushSecured sends what waits. done says that everything was sent; ok is false if the
// connection is gone.
func (u *upstream) flushSecured() (done, ok bool) {
	before := u.tls.taken
	broken := u.tls.flush()
	if u.tls.waits() {
		u.writable = false
		if u.tls.taken > before {
			u.last = u.w.Now()
		}
		return false, !broken
	}
	return true, !broken
}

// closeWrite sends the end of the stream; false if it must be called again.
func (u *upstream) closeWrite() bool {
	if s := u.tls; s != nil {
		s.notify()
		if s.push(false); s.waits() {
			u.writable = false
			return false
		}
	}
	loop.CloseWrite(int(u.fd))
	return true
}

// quietSecured is quiet with TLS: a session ticket, or a key update, is read and is
// nothing.
func (u *upstream) quietSecured() bool {
	n, err := u.tls.receive(u.w.rbuf[:1])
	u.readable = n > 0 || !errors.Is(err, errAgain)
	return !u.readable
}
