package lbcore

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

const (
	// sealPiece is how much is sealed at a time: what of it the socket does not take
	// waits in the connection.
	sealPiece = 32 << 10
	// maxSealed bounds what may wait though nothing was written: answers to key updates
	// of a client that does not read them.
	maxSealed = 64 << 10
)

// secured is TLS on a connection of a loop. crypto/tls works on it as on a net.Conn:
//
//   - Read takes what the socket has, and fails with errAgain when that is nothing.
//     tls.Conn.Read can then be called again and goes on where it was, also in the
//     middle of a record: an error that is Temporary is not remembered.
//   - Write never fails and takes everything, since tls.Conn cannot go on after a
//     part of a record: into the loop's buffer, which is sent at once, and what the
//     socket does not take waits here.
//
// During the handshake a goroutine has it, and both wait: see handshake.
type secured struct {
	w    *worker
	conn *tls.Conn
	fd   int32

	drained  bool // the socket had no more bytes, and no event came since
	hungUp   bool // an event told its end, which is still to be read
	cutOff   bool // the connection ended, and the stream had not (close_notify)
	notified bool // our end of the stream was told (close_notify)

	sealed []byte // waits for the socket, from taken on
	taken  int

	shaking *handshake // nil when it is over
	queued  bool       // waits for its handshake to begin
}

// again is what Read says when there is nothing yet.
type again struct{}

func (again) Error() string   { return "nothing to read yet" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

var errAgain net.Error = again{}

// Read implements net.Conn.
func (s *secured) Read(p []byte) (int, error) {
	if s.shaking != nil {
		return s.shaking.read(p)
	}
	if s.drained {
		return 0, errAgain
	}
	n, errno := loop.Receive(int(s.fd), p)
	switch {
	case errno == unix.EAGAIN:
		s.drained = true
		return 0, errAgain
	case errno != 0:
		return 0, errno
	case n == 0:
		s.cutOff = true // after close_notify nothing is read
		return 0, io.EOF
	}
	s.drained = n < len(p) && !s.hungUp
	return n, nil
}

// Write implements net.Conn.
func (s *secured) Write(p []byte) (int, error) {
	if s.shaking != nil {
		return s.shaking.write(p)
	}
	s.w.seal = append(s.w.seal, p...)
	return len(p), nil
}

// Close implements net.Conn. The loop closes.
func (s *secured) Close() error { return nil }

// LocalAddr implements net.Conn.
func (s *secured) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (s *secured) RemoteAddr() net.Addr { return nil }

// SetDeadline implements net.Conn. The loop has timers of its own.
func (s *secured) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (s *secured) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (s *secured) SetWriteDeadline(time.Time) error { return nil }

// told notes an event.
func (s *secured) told(ev loop.Events) {
	if ev&(loop.Readable|loop.HangUp|loop.Broken) != 0 {
		s.drained = false
	}
	if ev&loop.HangUp != 0 {
		s.hungUp = true
	}
}

// receive fills buf with what has come. err is errAgain or what ended the
// connection, io.EOF if in order; then it comes again with the next call.
func (s *secured) receive(buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = s.conn.Read(buf[n:])
		n += k
	}
	if len(s.w.seal) > 0 { // an answer to a key update, or an alert
		if broken := s.push(false); broken || len(s.sealed)-s.taken > maxSealed {
			err = unix.ECONNRESET
		}
	}
	if n > 0 && !errors.Is(err, errAgain) {
		s.drained, err = false, nil
	}
	return n, err
}

// send seals as much of buf as the socket takes, and a piece more, which waits. last
// says that the stream ends behind buf.
func (s *secured) send(buf []byte, last bool) (n int, broken bool) {
	for n < len(buf) && !s.waits() {
		k := min(len(buf)-n, sealPiece)
		if _, err := s.conn.Write(buf[n : n+k]); err != nil {
			return n, true
		}
		n += k
		ends := last && n == len(buf)
		if ends {
			s.notify()
		}
		if broken := s.push(ends); broken {
			return n, true
		}
	}
	return n, false
}

// notify seals the end of our stream, once.
func (s *secured) notify() {
	if !s.notified {
		s.notified = true
		_ = s.conn.CloseWrite() // fails only where an alert was sent before
	}
}

// waits says that sealed bytes wait for the socket.
func (s *secured) waits() bool { return s.taken < len(s.sealed) }

// push sends what was sealed.
func (s *secured) push(last bool) (broken bool) {
	out := s.w.seal
	s.w.seal = out[:0]
	n := 0
	if !s.waits() {
		if n, broken = s.write(out, last); broken {
			return true
		}
	}
	if n < len(out) {
		if s.sealed == nil {
			s.sealed = s.w.get(len(out) - n)
		}
		s.sealed = append(s.sealed, out[n:]...)
	}
	return false
}

// flush sends what waits.
func (s *secured) flush() (broken bool) {
	if !s.waits() {
		return false
	}
	n, broken := s.write(s.sealed[s.taken:], s.notified)
	if s.taken += n; s.taken == len(s.sealed) {
		s.drop()
	}
	return broken
}

func (s *secured) write(out []byte, last bool) (n int, broken bool) {
	send := loop.Write
	if last {
		send = loop.WriteLast
	}
	n, errno := send(int(s.fd), out)
	return n, errno != 0 && errno != unix.EAGAIN
}

// drop gives back what the connection holds.
func (s *secured) drop() {
	s.w.put(s.sealed)
	s.sealed, s.taken = nil, 0
}
