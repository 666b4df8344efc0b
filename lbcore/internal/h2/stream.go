package h2

import (
	"golang.org/x/net/http2"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// Stream is one request and its answer.
//
//	open ──END_STREAM from both──► closed
//	  └────RST_STREAM of either──► closed
type Stream struct {
	// Owner is for whoever uses the stream.
	Owner any
	// TooLarge says that a request's fields are beyond the limit. There is nothing to read then.
	TooLarge bool

	c  *Conn
	id uint32

	src      source // what the peer says
	headOnly bool   // the request is HEAD
	gotHead  bool   // the peer's head came, which is no interim one

	recvEnded bool // END_STREAM came
	sendEnded bool // END_STREAM was sent
	closed    bool
	left      bool          // nobody uses the stream any more: only its end is waited for
	code      http2.ErrCode // why the peer has reset it
	wasReset  bool
	refused   bool // the peer has not acted upon it

	sendWindow, recvWindow, unsaid int64
	blocked, queued                bool

	// What we say.
	headSent bool
	started  bool // its final head was sent
	req      http1.Request
	resp     http1.Response
	body     http1.BodyReader
}

func (c *Conn) newStream(id uint32) *Stream {
	s := &Stream{c: c, id: id, sendWindow: c.peer.window, recvWindow: int64(c.cfg.StreamWindow)}
	c.streams[id] = s
	return s
}

// Open makes a stream for a request; nil if the peer takes no more now, or none any more.
func (c *Conn) Open() *Stream {
	if !c.CanOpen() {
		return nil
	}
	s := c.newStream(c.nextID)
	c.nextID += 2
	c.Stats.Streams++
	return s
}

// CanOpen says whether Open would make one.
func (c *Conn) CanOpen() bool {
	return !c.gone && uint32(len(c.streams)) < c.peer.streams && c.nextID < maxStreamID
}

// Ended says that the peer has said all, and Reset that it has given the stream up.
func (s *Stream) Ended() bool { return s.recvEnded }

// Reset says that the stream is over before its end; refused, that the peer has certainly not acted upon it.
func (s *Stream) Reset() (reset, refused bool) { return s.wasReset, s.refused }

// Code is that of the peer's RST_STREAM.
func (s *Stream) Code() http2.ErrCode { return s.code }

// idle says that the stream was not opened yet.
func (c *Conn) idle(id uint32) bool {
	if c.cfg.Server {
		return id%2 == 0 || id > c.lastPeer
	}
	return id%2 == 0 || id >= c.nextID
}

// data is a part of a body.
func (c *Conn) data(f *http2.DataFrame) (*Stream, *Error) {
	size := int(f.Header().Length)
	if err := c.received(size); err != nil {
		return nil, err
	}
	data := f.Data()
	if len(data) > 0 || f.StreamEnded() {
		c.frameBudget.earn(frameGain)
	} else if err := c.spend(); err != nil {
		return nil, err
	}
	s := c.streams[f.StreamID]
	if s == nil {
		c.credit(size)
		switch {
		case c.idle(f.StreamID) && !(c.left && f.StreamID%2 == 1):
			return nil, c.fail(http2.ErrCodeProtocol, "DATA on a stream that is idle")
		case c.wasReset(f.StreamID) || c.left:
			return nil, c.spend()
		}
		return c.streamError(f.StreamID, http2.ErrCodeStreamClosed)
	}
	if s.recvWindow -= int64(size); s.recvWindow < 0 {
		c.credit(size)
		return c.streamError(s.id, http2.ErrCodeFlowControl)
	}
	s.credit(size - len(data)) // padding goes nowhere
	switch {
	case s.recvEnded:
		c.credit(len(data))
		return c.streamError(s.id, http2.ErrCodeStreamClosed)
	case !s.gotHead:
		c.credit(len(data))
		return c.streamError(s.id, http2.ErrCodeProtocol)
	case s.left:
		s.credit(len(data))
		if len(data) > 0 {
			return c.streamError(s.id, http2.ErrCodeNo)
		}
	case !s.src.add(data, f.StreamEnded()):
		c.credit(len(data))
		return c.streamError(s.id, http2.ErrCodeProtocol)
	}
	s.end(f.StreamEnded())
	return s, nil
}

// end notes that the peer has said all, if it has.
func (s *Stream) end(ended bool) {
	if ended {
		s.recvEnded = true
		s.settle()
	}
}

// settle closes a stream that has come to its end both ways.
func (s *Stream) settle() {
	if s.recvEnded && s.sendEnded {
		s.close()
	}
}

func (s *Stream) close() {
	s.closed = true
	s.c.forget(s)
	delete(s.c.streams, s.id)
}

// release gives the window of what nobody will read back.
func (s *Stream) release() { s.c.credit(s.src.drop()) }

// reset is the peer's.
func (c *Conn) reset(f *http2.RSTStreamFrame) (*Stream, *Error) {
	s := c.streams[f.StreamID]
	if s == nil {
		if c.idle(f.StreamID) {
			return nil, c.fail(http2.ErrCodeProtocol, "RST_STREAM on a stream that is idle")
		}
		return nil, c.spend()
	}
	c.Stats.ResetsIn++
	s.wasReset, s.code = true, f.ErrCode
	s.refused = f.ErrCode == http2.ErrCodeRefusedStream
	s.close()
	if c.cfg.Server {
		return s, c.spendReset()
	}
	return s, nil
}

// streamError resets a stream that cannot go on, for the peer's fault.
func (c *Conn) streamError(id uint32, code http2.ErrCode) (*Stream, *Error) {
	s := c.streams[id]
	c.sendReset(id, code)
	if s != nil {
		s.wasReset = true
		s.close()
		if s.Owner == nil {
			s = nil
		}
	}
	return s, c.spendReset()
}

func (c *Conn) sendReset(id uint32, code http2.ErrCode) {
	c.Stats.ResetsOut++
	_ = c.fr.WriteRSTStream(id, code)
	c.resets[c.nextRst] = id
	c.nextRst = (c.nextRst + 1) % resetsKept
}

func (c *Conn) wasReset(id uint32) bool {
	for _, r := range c.resets {
		if r == id {
			return true
		}
	}
	return false
}

// Close ends the owner's part. What was not said to the end is reset with code.
func (s *Stream) Close(code http2.ErrCode) {
	if s.left {
		return
	}
	s.left, s.Owner = true, nil
	s.release()
	switch {
	case s.closed:
		return
	case s.sendEnded && s.src.complete():
		return // only the mark of its end is still to come
	case s.sendEnded && s.c.cfg.Server:
		code = http2.ErrCodeNo // our answer is whole, and the rest of the request is of no use (8.1)
	}
	s.c.sendReset(s.id, code)
	s.close()
}
