package lbcore

import (
	"bytes"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/h2"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

const (
	// h2Out is from how much of what waits for a client on nothing more is read from it: whoever does not take our
	// answers can ask for no more of them.
	h2Out = 64 << 10
	// leaveTime is how long a client that was asked to go may still open streams, if it does not answer.
	leaveTime = time.Second
)

// h2session is HTTP/2 on a connection with a client. Each of its streams is a client by itself, whose bytes are HTTP/1.1:
// see internal/h2. So a request is dealt with by the same code, whatever it came in.
type h2session struct {
	c       *client
	conn    *h2.Conn
	in      []byte // what has come and was not taken: part of a frame
	streams map[*client]struct{}
	ready   []*client // those that have more to do
	pumping bool
	queued  bool // is to be pumped in this round
	unseen  bool // what is in in was not looked at
	over    bool // nothing is read any more

	moved   time.Duration // when the client took something, or had taken everything
	idle    time.Duration // since when there is no stream
	partial time.Duration // since when a frame or header block is unfinished; 0: none is
	leaving time.Duration // when it was asked to go; 0: it was not
	left    bool          // and nothing that it opens is served any more
	counted h2.Stats      // of conn's, what the frontend's counters have
}

// speakHTTP2 makes of the connection one that speaks HTTP/2; in has come already.
func (c *client) speakHTTP2(in []byte) {
	v := c.f.view.Load()
	t := v.cfg.HTTP2
	h := &h2session{c: c, streams: make(map[*client]struct{}), moved: c.w.Now(), idle: c.w.Now(), partial: c.w.Now()}
	h.conn = h2.New(h2.Config{
		Server: true, MaxStreams: uint32(t.MaxStreams),
		StreamWindow: int32(t.StreamWindow), ConnWindow: int32(t.Window), HeaderList: v.cfg.Limits.Head,
	})
	if len(in) > 0 {
		h.in, h.unseen = append(c.w.get(bigBuffer), in...), true
	}
	via := *c.via
	via.h2 = h
	c.via, c.phase = &via, phaseHTTP2
	c.w.sessions[h] = struct{}{}
	n := &c.count().http2
	n.connections.Add(1)
	n.current.Add(1)
}

// h2cStart is from where on the preface (RFC 9113, 3.4) can be nothing else.
var h2cStart = []byte("PRI * HTTP/2.0")

// prefersHTTP2 turns to HTTP/2 if buf, the first bytes of a plain connection, say so (RFC 9113, 3.3), and that is wanted.
func (c *client) prefersHTTP2(buf []byte, v *frontendView) bool {
	if !v.cfg.HTTP2.H2C || c.served || c.refused != wanted || c.via.tls != nil || c.via.stream != nil || !bytes.HasPrefix(buf, h2cStart) {
		return false
	}
	x := c.x
	c.x = nil
	c.speakHTTP2(buf)
	c.w.freeExchange(x)
	return true
}

// pump sends, reads and sends. It reports whether there may be more to do.
func (h *h2session) pump() bool {
	h.pumping, h.queued = true, false
	h.flush()
	h.resume()
	more := h.read()
	h.runReady()
	h.flush()
	h.pumping = false
	h.count()
	c := h.c
	switch {
	case c.broken || c.phase != phaseHTTP2:
		return false
	case h.over || len(h.streams) == 0 && h.conn.Over():
		return h.finish()
	}
	return more || len(h.ready) > 0
}

// read takes what the client has sent, once. It reports whether there may be more.
func (h *h2session) read() bool {
	c := h.c
	if h.over || len(h.conn.Out) >= h2Out {
		return false
	}
	came := h.unseen
	h.unseen = false
	if c.readable {
		if cap(h.in)-len(h.in) < smallBuffer {
			h.in = c.w.grow(h.in, readSize-len(h.in))
		}
		n, ok := c.read(h.in[len(h.in):cap(h.in)])
		h.in = h.in[:len(h.in)+n]
		came = came || ok
	}
	if came {
		h.take()
	}
	if len(h.in) == 0 {
		c.w.put(h.in)
		h.in = nil
	}
	if c.eof && !c.readable {
		h.over = true
	}
	return came && c.readable
}

// take deals with the frames that have come.
func (h *h2session) take() {
	taken := 0
	for !h.over {
		n, s, err := h.conn.Next(h.c.w.Now(), h.in[taken:])
		taken += n
		if s != nil {
			h.changed(s)
		}
		if err != nil {
			h.failed(err)
		}
		if n == 0 || h.c.phase != phaseHTTP2 {
			break
		}
	}
	h.in = h.in[:copy(h.in, h.in[taken:])]
	switch unfinished := len(h.in) > 0 || h.conn.Unfinished() || !h.conn.Greeted(); {
	case !unfinished:
		h.partial = 0
	case h.partial == 0 || taken > 0 && len(h.in) > 0 && !h.conn.Unfinished() && h.conn.Greeted():
		h.partial = h.c.w.Now() // of this frame, which is another one than that before
	}
}

// changed deals with a stream on which something has come.
func (h *h2session) changed(s *h2.Stream) {
	v, _ := s.Owner.(*client)
	reset, _ := s.Reset()
	switch {
	case v == nil && !reset:
		h.open(s)
		return
	case v == nil:
		return
	case reset:
		v.broken = true
	default:
		v.readable = true
	}
	v.run()
}

// failed ends the connection for what the client has done.
func (h *h2session) failed(err *h2.Error) {
	h.over = true
	n := &h.c.count().http2
	switch err.Flood {
	case "":
		n.protocol.Add(1)
	case "resets":
		n.floodResets.Add(1)
	case "frames":
		n.floodFrames.Add(1)
	default:
		n.floodHeaders.Add(1)
	}
}

// resume lets streams go on that had to wait for a window or for room.
func (h *h2session) resume() {
	for s := h.conn.Writable(); s != nil; s = h.conn.Writable() {
		if v, ok := s.Owner.(*client); ok {
			v.writable = true
			v.run()
		}
		if len(h.conn.Out) >= h2Out {
			h.flush()
		}
	}
}

// runReady gives each stream that asked for it another turn.
func (h *h2session) runReady() {
	turn := h.ready
	h.ready = nil
	for _, v := range turn {
		if v.phase != phaseClosed {
			v.run()
		}
	}
	h.resume()
}

// wake has the session send what a stream of it has written, and give v another turn if it wants one.
func (h *h2session) wake(v *client, again bool) {
	if again {
		h.ready = append(h.ready, v)
	}
	if h.pumping || h.queued || h.c.phase != phaseHTTP2 || h.c.token == 0 {
		return
	}
	h.queued = true
	h.c.w.Again(h.c.token)
}

// flush sends what waits for the client, as far as it takes it.
func (h *h2session) flush() {
	c := h.c
	for c.writable && !c.broken {
		if c.sealedWaits() {
			h.moved = c.w.Now()
			if !c.flushSecured() {
				return
			}
		}
		out := h.conn.Out
		if len(out) == 0 {
			break
		}
		n := c.write(out, false)
		if n > 0 {
			h.moved = c.w.Now()
		}
		h.conn.Out = out[:copy(out, out[n:])]
	}
	if len(h.conn.Out) == 0 {
		c.w.put(h.conn.Out)
		h.conn.Out = nil
	}
}

// waits says that something waits for the client.
func (h *h2session) waits() bool { return len(h.conn.Out) > 0 || h.c.sealedWaits() }

// finish closes the connection once the client has everything; its end is awaited, lest a reset destroys that.
func (h *h2session) finish() bool {
	c := h.c
	if h.over {
		h.abortStreams()
	}
	if h.waits() && !c.eof {
		return false
	}
	h.end()
	if c.eof {
		c.close()
		return false
	}
	c.closeWrite()
	c.linger()
	return true
}

// leave asks the client to open no more streams here.
func (h *h2session) leave() {
	if h.leaving == 0 {
		h.leaving = h.c.w.Now()
		h.conn.BeginLeaving()
		h.c.count().http2.leaves.Add(1)
		h.wake(nil, false)
	}
}

// arm sets the timer for what the connection waits for now.
func (h *h2session) arm() {
	t := h.c.timeouts()
	at := time.Duration(1<<63 - 1)
	if h.waits() {
		at = h.moved + t.Client
	}
	if h.partial != 0 {
		at = min(at, h.partial+t.Header)
	}
	switch {
	case h.leaving != 0 && !h.left:
		at = min(at, h.leaving+leaveTime)
	case h.leaving == 0 && len(h.streams) == 0:
		at = min(at, h.idle+t.Idle)
	}
	if at == 1<<63-1 {
		h.c.w.Wheel.Stop(&h.c.timer)
		return
	}
	h.c.w.Wheel.Set(&h.c.timer, h.c, at)
}

// expired is called when the client was waited for in vain.
func (h *h2session) expired() {
	c, t, now := h.c, h.c.timeouts(), h.c.w.Now()
	switch {
	case h.waits() && now >= h.moved+t.Client:
		c.count().headerTime.Add(1)
		loop.Reset(int(c.fd))
		c.close()
	case h.partial != 0 && now >= h.partial+t.Header:
		c.count().headerTime.Add(1)
		h.conn.Leave()
		h.over = true
	case h.leaving != 0 && now >= h.leaving+leaveTime:
		h.conn.Leave()
		h.left = true
	case len(h.streams) == 0 && now >= h.idle+t.Idle:
		h.leave()
	}
}

// abortStreams gives all streams up.
func (h *h2session) abortStreams() {
	for v := range h.streams {
		v.broken = true
		v.abort()
	}
}

// end is close's part with HTTP/2.
func (h *h2session) end() {
	c := h.c
	if c.via.h2 == nil {
		return
	}
	h.over = true
	h.abortStreams()
	h.count()
	via := *c.via
	via.h2 = nil
	c.via = &via
	delete(c.w.sessions, h)
	c.count().http2.current.Add(-1)
	c.w.put(h.in)
	c.w.put(h.conn.Out)
	h.in, h.conn.Out, h.ready = nil, nil, nil
}

// count brings the frontend's counters up to date.
func (h *h2session) count() {
	now, n := h.conn.Stats, &h.c.count().http2
	if now == h.counted {
		return
	}
	n.streams.Add(now.Streams - h.counted.Streams)
	n.refused.Add(now.Refused - h.counted.Refused)
	n.resetsIn.Add(now.ResetsIn - h.counted.ResetsIn)
	n.resetsOut.Add(now.ResetsOut - h.counted.ResetsOut)
	h.counted = now
}
