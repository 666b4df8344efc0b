package h2

import (
	"slices"

	"golang.org/x/net/http2"
)

// received takes n bytes of DATA, padding included, off the windows (RFC 9113, 6.9.1).
func (c *Conn) received(n int) *Error {
	if c.recvWindow -= int64(n); c.recvWindow < 0 {
		return c.fail(http2.ErrCodeFlowControl, "more than the connection's window")
	}
	return nil
}

// credit tells the peer, sooner or later, that n bytes have gone on.
func (c *Conn) credit(n int) {
	c.unsaid += int64(n)
	if c.unsaid >= int64(c.cfg.ConnWindow)/2 {
		_ = c.fr.WriteWindowUpdate(0, uint32(c.unsaid))
		c.recvWindow += c.unsaid
		c.unsaid = 0
	}
}

// credit is that of a stream, and of its connection.
func (s *Stream) credit(n int) {
	s.c.credit(n)
	if s.recvEnded || s.closed {
		return
	}
	s.unsaid += int64(n)
	if s.unsaid >= int64(s.c.cfg.StreamWindow)/2 {
		_ = s.c.fr.WriteWindowUpdate(s.id, uint32(s.unsaid))
		s.recvWindow += s.unsaid
		s.unsaid = 0
	}
}

// windowUpdate lets us send more.
func (c *Conn) windowUpdate(f *http2.WindowUpdateFrame) (*Stream, *Error) {
	if err := c.spend(); err != nil {
		return nil, err
	}
	if f.StreamID == 0 {
		if c.sendWindow += int64(f.Increment); c.sendWindow > maxWindow {
			return nil, c.fail(http2.ErrCodeFlowControl, "the connection's window overflows")
		}
		return nil, nil
	}
	s := c.streams[f.StreamID]
	if s == nil {
		if c.idle(f.StreamID) {
			return nil, c.fail(http2.ErrCodeProtocol, "WINDOW_UPDATE for a stream that is idle")
		}
		return nil, nil // it may have been on the way when the stream ended
	}
	if s.sendWindow += int64(f.Increment); s.sendWindow > maxWindow {
		return c.streamError(f.StreamID, http2.ErrCodeFlowControl)
	}
	s.unblock()
	return nil, nil
}

// resizeWindows is the peer's new SETTINGS_INITIAL_WINDOW_SIZE (6.9.2).
func (c *Conn) resizeWindows(size int64) *Error {
	delta := size - c.peer.window
	c.peer.window = size
	for _, s := range c.streams {
		if s.sendWindow += delta; s.sendWindow > maxWindow {
			return c.fail(http2.ErrCodeFlowControl, "a stream's window overflows")
		}
		s.unblock()
	}
	return nil
}

// room is how much of a body the stream may send now, at most a frame; 0 makes it wait.
func (s *Stream) room() int {
	c := s.c
	n := min(s.sendWindow, c.sendWindow, int64(c.peer.frame), int64(outMax-len(c.Out)))
	if n <= 0 {
		s.wait()
		return 0
	}
	return int(n)
}

// wait has Writable tell when the stream may go on.
func (s *Stream) wait() {
	if s.blocked {
		return
	}
	s.blocked = true
	if s.sendWindow > 0 || !s.headSent {
		s.queue()
	} // else its own window is what it waits for
}

// unblock lets a stream wait for its turn once its own window is open.
func (s *Stream) unblock() {
	if s.blocked && s.sendWindow > 0 {
		s.queue()
	}
}

func (s *Stream) queue() {
	if !s.queued {
		s.queued = true
		s.c.waiting = append(s.c.waiting, s)
	}
}

// Writable returns a stream that had to wait and may write now, those first that wait longest; nil if there is none.
func (c *Conn) Writable() *Stream {
	for i := 0; i < len(c.waiting) && len(c.Out) < outMax; {
		s := c.waiting[i]
		if s.headSent && c.sendWindow <= 0 {
			i++ // who has a head to send needs no window
			continue
		}
		c.waiting = slices.Delete(c.waiting, i, i+1)
		s.queued = false
		if s.headSent && s.sendWindow <= 0 {
			continue // it has shrunk: the stream waits for its own again
		}
		s.blocked = false
		return s
	}
	return nil
}

// forget takes a stream out of the queue.
func (c *Conn) forget(s *Stream) {
	if s.queued {
		c.waiting = slices.DeleteFunc(c.waiting, func(o *Stream) bool { return o == s })
		s.queued = false
	}
}
