package h2

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// Write takes our message as HTTP/1.1 text, and returns how much of it was taken; less than all means that the stream
// must wait, and that Conn.Writable will name it. A head must come whole. ok is false where p is no such text, or more
// than the message; then the stream is to be closed.
func (s *Stream) Write(p []byte) (n int, ok bool) {
	for n < len(p) {
		switch {
		case s.closed:
			return len(p), true // nobody hears it
		case s.sendEnded:
			return n, false
		case s.started:
			k, ok := s.writeBody(p[n:])
			if n += k; !ok || k == 0 {
				return n, ok
			}
		case len(s.c.Out) >= outMax:
			s.wait()
			return n, true
		default:
			k, ok := s.writeHead(p[n:])
			if !ok {
				return n, false
			}
			n += k
		}
	}
	return n, true
}

// limits are those of http1: what we say was limited elsewhere.
var limits = http1.Limits{Head: http1.MaxHead, Line: http1.MaxHead, Fields: http1.MaxFields}

// writeHead sends the head at the start of p.
func (s *Stream) writeHead(p []byte) (n int, ok bool) {
	c := s.c
	c.encBuf.Reset()
	var body http1.Body
	final := true
	if c.cfg.Server {
		k, err := s.resp.Parse(p, &limits, http1.Asked{Head: s.headOnly})
		if err != nil || k == 0 {
			return 0, false
		}
		n, body, final = k, s.resp.Body, !s.resp.Interim()
		c.field(":status", strconv.Itoa(s.resp.Status))
		for i := range s.resp.NumFields() {
			c.passField(s.resp.Field(i))
		}
	} else {
		k, err := s.req.Parse(p, &limits)
		if err != nil || k == 0 {
			return 0, false
		}
		n, body = k, s.req.Body
		s.requestFields()
	}
	s.headSent = final
	ends := final && (body.Kind == http1.None || body.Kind == http1.Length && body.Length == 0)
	c.writeBlock(s.id, ends)
	if !final {
		return n, true
	}
	s.started = true
	s.body.Reset(body, 0, c.cfg.Server)
	s.body.KeepTrailers()
	if ends {
		s.finishSending()
	}
	return n, true
}

func (s *Stream) requestFields() {
	c, r := s.c, &s.req
	s.headOnly = string(r.Method) == "HEAD"
	c.field(":method", string(r.Method))
	scheme := "http"
	if c.cfg.TLS {
		scheme = "https"
	}
	c.field(":scheme", scheme)
	c.field(":authority", string(r.Host))
	c.field(":path", string(r.Target))
	for i := range r.NumFields() {
		if name, value := r.Field(i); !strings.EqualFold(string(name), "host") {
			c.passField(name, value)
		}
	}
	c.field("te", "trailers") // ours pass them on (RFC 9110, 10.1.4); gRPC insists
}

// passField encodes one that came as HTTP/1.1.
func (c *Conn) passField(name, value []byte) {
	switch n := strings.ToLower(string(name)); n {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te":
	default:
		c.field(n, string(value))
	}
}

// field encodes a field. Those that hold secrets stay out of the table: what is in it can be guessed by whoever can have
// others sent on the same connection (RFC 7541, 7.1).
func (c *Conn) field(name, value string) {
	f := hpack.HeaderField{Name: name, Value: value}
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		f.Sensitive = true
	}
	_ = c.enc.WriteField(f)
}

// writeBlock sends what was encoded.
func (c *Conn) writeBlock(id uint32, ends bool) {
	block := c.encBuf.Bytes()
	first := block[:min(len(block), c.peer.frame)]
	block = block[len(first):]
	_ = c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: ends, EndHeaders: len(block) == 0})
	for len(block) > 0 {
		part := block[:min(len(block), c.peer.frame)]
		block = block[len(part):]
		_ = c.fr.WriteContinuation(id, len(block) == 0, part)
	}
	c.frameBudget.earn(frameGain)
	if c.encBuf.Cap() > 4*tableSize {
		c.encBuf = bytes.Buffer{}
	}
}

// writeBody sends what p holds of the body, as far as there is room; n is 0 if there is none.
func (s *Stream) writeBody(p []byte) (n int, ok bool) {
	b := &s.body
	for n < len(p) && !b.Done() {
		raw := b.Raw()
		if raw == 0 { // framing of a chunked body, byte by byte
			_, k, _, err := b.Next(p[n : n+1])
			if err != nil || k == 0 {
				return n, false
			}
			n += k
			continue
		}
		k := min(len(p)-n, int(min(raw, maxFrame)), s.room())
		if k == 0 {
			return n, true
		}
		ends := raw == int64(k) && s.lengthKnown()
		s.writeData(p[n:n+k], ends)
		b.Advance(int64(k))
		n += k
		if ends {
			s.finishSending()
			return n, true
		}
	}
	if !b.Done() {
		return n, true
	}
	s.writeEnd()
	return n, true
}

// lengthKnown says that the last byte of the body is known as such.
func (s *Stream) lengthKnown() bool {
	if s.c.cfg.Server {
		return s.resp.Body.Kind == http1.Length
	}
	return s.req.Body.Kind == http1.Length
}

// writeEnd ends a chunked body. It needs no window, and waits for no room: a stream has one.
func (s *Stream) writeEnd() {
	if trailers := s.body.Trailers(); len(trailers) > 0 {
		s.c.encBuf.Reset()
		http1.EachField(trailers, s.c.passField)
		s.c.writeBlock(s.id, true)
	} else {
		s.writeData(nil, true)
	}
	s.finishSending()
}

func (s *Stream) writeData(p []byte, ends bool) {
	c := s.c
	var flags byte
	if ends {
		flags = byte(http2.FlagDataEndStream)
	}
	c.Out = binary.BigEndian.AppendUint32(c.Out, uint32(len(p))<<8|uint32(http2.FrameData))
	c.Out = append(c.Out, flags)
	c.Out = binary.BigEndian.AppendUint32(c.Out, s.id)
	c.Out = append(c.Out, p...)
	s.sendWindow -= int64(len(p))
	c.sendWindow -= int64(len(p))
	c.frameBudget.earn(frameGain)
}

func (s *Stream) finishSending() {
	s.sendEnded = true
	s.settle()
}
