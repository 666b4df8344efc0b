package h2

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxContinuations bounds the frames that go on with one header block, as nghttp2's 8 and Envoy's limits do: each costs
// little, and without an end nothing would ever be judged (CVE-2024-27316 and others).
const maxContinuations = 16

// block is the header block that is under way: HEADERS, and CONTINUATION until its end. No other frame comes between.
type block struct {
	id     uint32
	s      *Stream // nil: a new one
	ended  bool    // END_STREAM
	fields []hpack.HeaderField
	list   int // their size, as SETTINGS_MAX_HEADER_LIST_SIZE counts it
	raw    int // bytes of the block
	frames int
	large  bool // beyond the limit: nothing more is kept
	drop   bool // decoded only for the table's sake: 4.3
	self   bool // depends on itself (5.3.1 of RFC 7540)
}

// emit is called with each field that was decoded.
func (c *Conn) emit(f hpack.HeaderField) {
	b := &c.block
	b.list += int(f.Size())
	if b.list > c.cfg.HeaderList {
		b.large = true
		c.dec.SetEmitEnabled(false)
		return
	}
	b.fields = append(b.fields, f)
}

// headers begins a header block: of a new stream, of an answer, or of trailers.
func (c *Conn) headers(f *http2.HeadersFrame) (*Stream, *Error) {
	c.frameBudget.earn(frameGain)
	id := f.StreamID
	c.block = block{id: id, ended: f.StreamEnded(), fields: c.block.fields[:0], self: f.HasPriority() && f.Priority.StreamDep == id}
	b := &c.block
	switch s := c.streams[id]; {
	case s != nil:
		b.s = s
	case c.wasReset(id):
		b.drop = true
	case c.cfg.Server && id%2 == 1 && id > c.lastPeer:
		if c.left {
			b.drop = true // it was told that this is too late
		} else {
			c.lastPeer = id
		}
	case c.cfg.Server && id%2 == 0:
		return nil, c.fail(http2.ErrCodeProtocol, "a client's stream with an even number")
	case c.idle(id):
		return nil, c.fail(http2.ErrCodeProtocol, "a stream that we have not opened")
	default:
		return nil, c.fail(http2.ErrCodeStreamClosed, "HEADERS on a closed stream")
	}
	c.dec.SetEmitEnabled(true)
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *Conn) continuation(f *http2.ContinuationFrame) (*Stream, *Error) {
	if c.block.frames++; c.block.frames > maxContinuations {
		return nil, c.flood("headers", "too many CONTINUATION frames")
	}
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// fragment decodes a part of the block, and judges it at its end.
func (c *Conn) fragment(p []byte, ended bool) (*Stream, *Error) {
	b := &c.block
	// What is beyond the limit must be decoded too, or the table would differ from the peer's; but not for ever.
	if b.raw += len(p); b.raw > 4*c.cfg.HeaderList {
		return nil, c.flood("headers", "header block too large")
	}
	if _, err := c.dec.Write(p); err != nil {
		return nil, c.fail(http2.ErrCodeCompression, "header block: "+err.Error())
	}
	if !ended {
		return nil, nil
	}
	if err := c.dec.Close(); err != nil {
		return nil, c.fail(http2.ErrCodeCompression, "header block: "+err.Error())
	}
	s, err := c.judge(b)
	clear(b.fields)
	if b.fields = b.fields[:0]; cap(b.fields) > 64 {
		b.fields = nil
	}
	b.id, b.s = 0, nil
	return s, err
}

// judge makes of a whole block what it is.
func (c *Conn) judge(b *block) (*Stream, *Error) {
	switch {
	case b.drop:
		return nil, c.spend()
	case b.self:
		return c.streamError(b.id, http2.ErrCodeProtocol)
	case b.s == nil:
		return c.open(b)
	case b.s.recvEnded:
		return c.streamError(b.id, http2.ErrCodeStreamClosed)
	case b.s.gotHead:
		return c.trailers(b)
	}
	return c.answer(b)
}

// open begins a stream of the client's.
func (c *Conn) open(b *block) (*Stream, *Error) {
	c.Stats.Streams++
	if uint32(len(c.streams)) >= c.cfg.MaxStreams {
		c.Stats.Refused++
		return c.streamError(b.id, http2.ErrCodeRefusedStream)
	}
	s := c.newStream(b.id)
	s.gotHead = true
	if b.large {
		s.TooLarge, s.recvEnded = true, b.ended
		return s, nil
	}
	text, m, reason := requestText(nil, b.fields, b.ended)
	if reason != "" {
		return c.streamError(b.id, http2.ErrCodeProtocol)
	}
	s.headOnly = m.headOnly
	s.src.begin(text, m, b.ended)
	s.recvEnded = b.ended
	return s, nil
}

// answer is what a server says first, or after interim answers.
func (c *Conn) answer(b *block) (*Stream, *Error) {
	if b.large {
		return c.streamError(b.id, http2.ErrCodeProtocol)
	}
	text, m, reason := responseText(nil, b.fields, b.ended, b.s.headOnly)
	if reason != "" {
		return c.streamError(b.id, http2.ErrCodeProtocol)
	}
	if m.interim {
		if len(b.s.src.head) > maxInterimText {
			return c.streamError(b.id, http2.ErrCodeEnhanceYourCalm)
		}
		b.s.src.head = append(b.s.src.head, text...)
		return b.s, nil
	}
	b.s.gotHead = true
	b.s.src.begin(text, m, b.ended)
	b.s.end(b.ended)
	return b.s, nil
}

// maxInterimText bounds interim answers that nobody has read yet.
const maxInterimText = 16 << 10

func (c *Conn) trailers(b *block) (*Stream, *Error) {
	switch {
	case !b.ended, b.large:
		return c.streamError(b.id, http2.ErrCodeProtocol)
	}
	text, reason := trailerText(b.fields)
	if reason != "" || !b.s.src.finish(text) {
		return c.streamError(b.id, http2.ErrCodeProtocol)
	}
	b.s.end(true)
	return b.s, nil
}
