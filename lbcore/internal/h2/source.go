package h2

import "github.com/tandem-lb/tandem/lbcore/internal/http1"

// message is what matters of a head behind its text.
type message struct {
	headOnly bool  // a request is HEAD
	interim  bool  // an answer is not the final one
	length   int64 // of the body, as Content-Length says; -1: it does not say
	bodiless bool  // there can be none, whatever it says
}

// source is a message of the peer's, given out as HTTP/1.1 text.
type source struct {
	head    []byte // text that waits: the head, or the end of a chunked body
	body    []byte // of the body, what waits from off on
	off     int
	chunked bool
	left    int64 // of a body with a length, still to come; -1 without
	ended   bool  // the peer has said all
	begun   bool
	tail    []byte // trailers, as field lines
	closed  bool   // the end of a chunked body is in head
}

// chunkFrame is room for what stands around a chunk.
const chunkFrame = len("ffffffff\r\n\r\n")

// begin starts with the head in text, behind what is there already.
func (s *source) begin(text []byte, m message, ended bool) {
	s.head = append(s.head, text...)
	s.begun, s.ended = true, ended
	s.left = m.length
	switch {
	case m.bodiless:
		s.left = 0
	case m.length < 0 && ended:
		s.left = 0
	case m.length < 0:
		s.chunked = true
	}
}

// add takes a part of the body; false if it is not as long as it should be.
func (s *source) add(data []byte, ended bool) bool {
	if !s.chunked {
		if s.left -= int64(len(data)); s.left < 0 || ended && s.left > 0 {
			return false
		}
	}
	if s.off == len(s.body) {
		s.body, s.off = s.body[:0], 0
	} else if s.off > cap(s.body)/2 && len(s.body)+len(data) > cap(s.body) {
		s.body, s.off = s.body[:copy(s.body, s.body[s.off:])], 0
	}
	s.body = append(s.body, data...)
	s.ended = s.ended || ended
	return true
}

// finish takes the trailers, and the end with them.
func (s *source) finish(trailers []byte) bool {
	if !s.chunked && s.left > 0 {
		return false
	}
	s.ended, s.tail = true, trailers
	return true
}

// complete says that nothing of the message can still come but the mark of its end.
func (s *source) complete() bool { return s.begun && (s.ended || !s.chunked && s.left == 0) }

// waits says that there is something to read.
func (s *source) waits() bool {
	return len(s.head) > 0 || s.off < len(s.body) || s.chunked && s.ended && !s.closed
}

// read fills buf with text, of which body bytes are the peer's.
func (s *source) read(buf []byte) (n, body int) {
	for {
		if len(s.head) > 0 {
			k := copy(buf[n:], s.head)
			n += k
			if s.head = s.head[k:]; len(s.head) > 0 {
				return n, body
			}
			s.head = nil
		}
		k, b := s.readBody(buf[n:])
		n, body = n+k, body+b
		if s.off < len(s.body) || !s.chunked || !s.ended || s.closed {
			return n, body
		}
		s.closed = true
		s.head = appendEnd(nil, s.tail)
	}
}

func (s *source) readBody(buf []byte) (n, body int) {
	data := s.body[s.off:]
	switch {
	case len(data) == 0:
		return 0, 0
	case !s.chunked:
		n = copy(buf, data)
		body = n
	case len(buf) <= chunkFrame:
		return 0, 0
	default:
		body = min(len(data), len(buf)-chunkFrame)
		n = len(http1.AppendChunk(buf[:0], data[:body]))
	}
	if s.off += body; s.off == len(s.body) {
		s.off = 0
		if s.body = s.body[:0]; cap(s.body) > 2*maxFrame {
			s.body = nil
		}
	}
	return n, body
}

// drop forgets what waits and returns how much of it was body.
func (s *source) drop() int {
	n := len(s.body) - s.off
	s.head, s.body, s.off, s.tail = nil, nil, 0, nil
	s.closed = true
	return n
}

// appendEnd appends the end of a chunked body.
func appendEnd(dst, trailers []byte) []byte {
	dst = append(dst, "0\r\n"...)
	dst = append(dst, trailers...)
	return append(dst, "\r\n"...)
}

// Read fills buf with the peer's message as HTTP/1.1 text: 0 bytes mean that nothing has come, or that the message has
// ended. What was read of a body, the peer may send more of.
func (s *Stream) Read(buf []byte) int {
	n, body := s.src.read(buf)
	if body > 0 {
		s.credit(body)
	}
	return n
}

// Readable says that Read would give something.
func (s *Stream) Readable() bool { return s.src.waits() }
