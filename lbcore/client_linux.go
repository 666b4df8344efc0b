package lbcore

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/limit"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

const (
	// turns bounds what one connection may do before others have their turn.
	turns = 16
	// lingerTime and lingerKiB bound how long, and for how much, a connection
	// is read after its last answer. Closing with bytes unread would make the
	// kernel send a reset, which may destroy the answer before the client has
	// read it (RFC 9112, 9.6).
	lingerTime = 5 * time.Second
	lingerKiB  = 16 << 10
	// refusedTime is lingerTime for a connection that was not wanted.
	refusedTime = time.Second
	// watchAfter is when a connection whose request takes longer is watched.
	watchAfter = 50 * time.Millisecond
)

// phase is what a client connection is doing.
//
//	proxyHeader ──► serverName ──────────► busy (TCP)
//	     │               handshake (TLS) ──► head, HTTP/2, or busy (TCP); each may be left out
//	     └────────────────────────┘
//	head ──request──► busy ──answered──► head
//	  │                 │──answered, last──► linger ──► closed
//	  └──refused──► busy┘──101──► tunnel ──both ended──► closed
//	HTTP/2 ──over──► linger; its streams: head ──► busy ──► closed
type phase uint8

const (
	phaseHead        phase = iota // idle (no exchange), or receiving a head
	phaseProxyHeader              // a PROXY header is to come
	phaseServerName               // a TLS greeting is to come, to route by
	phaseHandshake                // of TLS
	phaseBusy                     // an exchange is under way
	phaseTunnel                   // the backend has switched protocols
	phaseHTTP2                    // its streams are clients of their own
	phaseLinger                   // answered and shut down; waits for the client's end
	phaseClosed
)

// client is one connection from a client. While idle this is all it holds.
type client struct {
	w     *worker
	via   *transport
	f     *frontend
	token loop.Token
	x     *exchange // nil while idle
	timer loop.Timer
	peer  [16]byte // its address; half as large as a netip.Addr and its port
	fd    int32
	phase phase

	readable, writable bool   // not seen to be otherwise
	eof                bool   // the client has closed its sending side
	broken             bool   // the connection is gone
	served             bool   // a request was answered, and the connection kept
	port               uint16 // the client's
	drained            uint16 // KiB read while lingering, each read rounded up

	refused refusal // what its first request is answered with, in place of being served
	counted uint8   // of its source's connections, which so many bits of its address name; 0: it is not
}

func (w *worker) newClient(l *listener, fd int, peer netip.AddrPort) {
	c := &client{w: w, via: l.via, f: l.f, fd: int32(fd), peer: peer.Addr().As16(), port: peer.Port(), readable: true, writable: true}
	w.conns++
	w.total.Add(1)
	n := c.count()
	n.accepted.Add(1)
	n.current.Add(1)
	c.begin(peer.Addr())
	c.run()
}

func (c *client) count() *frontendSlot        { return &c.f.slots[c.w.slot] }
func (c *client) timeouts() *FrontendTimeouts { return &c.f.view.Load().cfg.Timeouts }

// Ready implements loop.Handler.
func (c *client) Ready(ev loop.Events) {
	if ev&(loop.Readable|loop.HangUp) != 0 {
		c.readable = true
	}
	if ev&loop.Writable != 0 {
		c.writable = true
	}
	if ev&loop.HangUp != 0 {
		c.eof = true
	}
	if s := c.via.tls; s != nil {
		if s.shaking != nil {
			s.shaking.signal()
			return
		}
		s.told(ev)
	}
	switch {
	case ev&loop.Broken == 0:
	case c.phase == phaseTunnel && !c.x.tunnel.clientDone:
		c.readable, c.eof = true, true // it may have ended in order: reading tells
	default:
		c.broken = true
	}
	c.run()
}

// run does whatever can be done now.
func (c *client) run() {
	more := !c.broken
	for n := 0; more && n < turns; n++ {
		switch c.phase {
		case phaseProxyHeader:
			more = c.readProxyHeader()
		case phaseServerName:
			more = c.readServerName()
		case phaseHandshake:
			more = c.greet()
		case phaseHead:
			more = c.readRequest()
		case phaseBusy:
			more = c.x.pump()
		case phaseTunnel:
			more = c.x.pumpTunnel()
		case phaseHTTP2:
			more = c.via.h2.pump()
		case phaseLinger:
			more = c.drain()
		}
		more = more && !c.broken && c.phase != phaseClosed
	}
	switch {
	case c.phase == phaseClosed:
		return
	case c.broken:
		c.abort()
		return
	}
	if c.refused != wanted && c.phase == phaseHead { // which nobody waits for
		c.turnAway()
		c.run()
		return
	}
	// First, since arm sets another timer for who is not watched: on a busy machine that one ran
	// out before the first event came, and the client was told 408.
	if c.unregistered() && (more || !c.unwatched()) && !c.watch() {
		return
	}
	switch c.phase {
	case phaseBusy:
		c.x.arm()
	case phaseTunnel:
		c.w.Wheel.Set(&c.timer, c, c.x.tunnelDeadline())
	case phaseHTTP2:
		c.via.h2.arm()
	}
	switch {
	case c.via.stream != nil:
		c.via.stream.h.wake(c, more)
	case more:
		c.w.Again(c.token)
	}
}

// unwatched says that the connection may stay out of epoll: its one request has
// been read, and only the backend is waited for. It spares each connection of one
// request the entry, and the events that tell nothing new. watchAfter bounds how
// long its abort can go unseen.
func (c *client) unwatched() bool {
	return c.phase == phaseBusy && c.x.waiting.in == nil && c.x.reqDone && !c.x.wantsKeep && !c.x.outWaits()
}

// watch enters the connection into epoll, which tells at once what has come since
// its last read. It reports whether the connection lives.
func (c *client) watch() bool {
	var err error
	if c.token, err = c.w.Register(int(c.fd), c, loop.Edge); err != nil {
		c.w.log.Error("cannot watch a connection", "err", err)
		c.abort()
	}
	return err == nil
}

// closeUnwatched is for after the loop's end, which closes all others.
func (w *worker) closeUnwatched() {
	w.Wheel.Each(func(owner loop.Expirer) {
		if c, ok := owner.(*client); ok && c.unregistered() {
			loop.Close(int(c.fd))
		}
	})
}

// readRequest takes bytes until a head is complete. It reports whether there is
// more to do.
func (c *client) readRequest() bool {
	x := c.x
	if x != nil && x.unparsed {
		x.unparsed = false
		return c.parse(x.in)
	}
	if !c.readable {
		return false
	}
	if x == nil {
		n, ok := c.read(c.w.rbuf)
		if !ok {
			return c.endHead()
		}
		c.x = c.w.newExchange(c)
		c.x.rec.in = uint64(n)
		c.w.Wheel.Set(&c.timer, c, c.w.Now()+c.timeouts().Header)
		return c.parse(c.w.rbuf[:n])
	}
	x.in = c.w.grow(x.in, smallBuffer/4)
	n, ok := c.read(x.in[len(x.in):cap(x.in)])
	if !ok {
		return c.endHead()
	}
	x.in = x.in[:len(x.in)+n]
	return c.parse(x.in)
}

// endHead closes a connection that ended before or in a head.
func (c *client) endHead() bool {
	if c.eof || c.broken {
		c.close()
	}
	return false
}

// parse looks for a head in buf, which is the loop's read buffer or x.in.
func (c *client) parse(buf []byte) bool {
	x := c.x
	x.setView(c.f.view.Load())
	if c.prefersHTTP2(buf, x.view) {
		return true
	}
	n, err := x.req.Parse(buf, &x.view.limits)
	switch {
	case c.refused != wanted && (err != nil || n == 0):
		c.turnAway()
		return true
	case err != nil:
		c.refuse(err.Status, err.Reason)
		return true
	case n == 0:
		if len(x.in) == 0 {
			x.in = append(c.w.get(len(buf)+smallBuffer/4), buf...)
		}
		return c.readable
	}
	c.phase = phaseBusy
	x.begin(buf, n)
	return true
}

// refuse answers a request that is not understood or not wanted.
func (c *client) refuse(status int, reason string) {
	c.count().refuse(status)
	c.x.rec.close('P', 'R', reason)
	c.phase = phaseBusy
	c.x.answer(status)
}

// next makes the connection wait for its next request, whose first bytes c.x
// holds if it is not nil.
func (c *client) next() {
	c.phase = phaseHead
	c.served = true
	wait := c.timeouts().Idle
	if c.x != nil {
		wait = c.timeouts().Header
		c.x.rec.first = c.w.Now()
	}
	c.w.Wheel.Set(&c.timer, c, c.w.Now()+wait)
}

// finish ends the connection after its last answer: at once if everything the
// client sent was read, else after reading on for a while.
func (c *client) finish(unread bool) {
	if c.x != nil {
		c.w.freeExchange(c.x)
		c.x = nil
	}
	if c.via.stream != nil || !unread && !c.readable {
		c.close()
		return
	}
	c.closeWrite()
	c.linger()
}

// linger reads on for a while before the connection is closed.
func (c *client) linger() {
	c.phase = phaseLinger
	c.readable = true
	wait := lingerTime
	if c.refused != wanted {
		wait = refusedTime
	}
	c.w.Wheel.Set(&c.timer, c, c.w.Now()+wait)
}

// drain reads and drops what a client sends after its last answer.
func (c *client) drain() bool {
	if !c.readable {
		return false
	}
	n, ok := c.receive(c.w.rbuf)
	c.drained += uint16((n + 1023) >> 10)
	if c.eof && !ok || c.broken || c.drained > lingerKiB {
		c.close()
	}
	return ok
}

// abort ends a connection that is gone, or whose answer cannot be completed.
func (c *client) abort() {
	if c.phase == phaseClosed {
		return
	}
	if c.phase == phaseBusy || c.phase == phaseTunnel {
		c.count().aborted.Add(1)
		c.x.rec.close('C', c.x.phase(), "aborted")
	}
	if c.phase == phaseTunnel {
		loop.Reset(int(c.x.up.fd))
	}
	c.close()
}

// close ends everything at once.
func (c *client) close() {
	if x := c.x; x != nil {
		x.log()
		x.dropUpstream()
		c.x = nil
		c.w.freeExchange(x)
	}
	if c.via.h2 != nil {
		c.via.h2.end()
	}
	if c.via.tls != nil {
		c.endSecured()
	}
	c.phase = phaseClosed
	c.w.Wheel.Stop(&c.timer)
	if c.via.stream != nil {
		c.via.stream.end(c)
		return
	}
	if c.token != 0 {
		c.w.Close(c.token)
	} else {
		loop.Close(int(c.fd))
	}
	c.count().current.Add(-1)
	if c.counted != 0 {
		c.f.conns.Leave(limit.KeyOf(c.peer, int(c.counted), uint32(c.counted)))
	}
	c.f.roomMade()
	c.w.conns--
	c.w.total.Add(-1)
	c.w.resumeAccepting()
}

// Expired implements loop.Expirer.
func (c *client) Expired() {
	switch {
	case c.phase == phaseLinger:
		c.close()
	case c.phase == phaseHTTP2:
		c.via.h2.expired()
		c.run()
	case c.phase == phaseHandshake:
		c.giveUpHandshake()
	case c.phase == phaseProxyHeader || c.phase == phaseServerName:
		c.count().headerTime.Add(1)
		c.close()
	case c.phase == phaseTunnel:
		c.count().headerTime.Add(1)
		c.x.rec.close('c', 'D', "client_timeout")
		c.close()
	case c.phase == phaseBusy && c.unregistered():
		if c.watch() {
			c.x.arm()
		}
	case c.phase == phaseBusy:
		c.x.clientTimeout()
		c.run()
	case c.x == nil && c.served && c.w.draining.Load():
		// Its next request may be on the way: see Proxy.Drain.
		c.w.Wheel.Set(&c.timer, c, c.w.Now()+c.timeouts().Idle)
	case c.x == nil:
		c.count().headerTime.Add(1)
		c.close()
	default:
		c.count().headerTime.Add(1)
		c.phase = phaseBusy
		c.x.rec.close('c', 'R', "client_timeout")
		c.x.answer(408)
		c.run()
	}
}
