package lbcore

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/limit"
)

// admitted looks at a connection whose source is known, before anything is read that the
// client itself has sent. It reports false if it has ended it. One that could be answered in
// plain HTTP is, with its first request.
func (c *client) admitted(v *frontendView) bool {
	r := c.welcome(v)
	if r == wanted {
		return true
	}
	if v.cfg.Mode == ModeHTTP && v.tls == nil {
		c.refused = r
		return true
	}
	x := c.w.newExchange(c)
	c.x = x
	x.setView(v)
	x.raw, x.rec.on = true, true
	x.refuseSource(r)
	x.refuseRaw()
	return false
}

// welcome says whether a connection is, and counts it.
func (c *client) welcome(v *frontendView) refusal {
	g, a := v.guard, netip.AddrFrom16(c.peer).Unmap()
	switch tcp := v.cfg.Mode == ModeTCP; {
	case !tcp && v.tell.believes(a):
		return wanted // whose requests it brings will be seen
	case !g.admits(a):
		return sourceDenied
	case g.maxConn > 0 && !c.f.conns.Enter(limit.KeyOf(c.peer, g.prefix6, uint32(g.prefix6)), g.maxConn):
		return sourceConns
	case g.maxConn > 0:
		c.counted = uint8(g.prefix6)
		fallthrough
	default:
		if tcp && g.rate.On() && g.take(a, g.rate, 0, c.w.clock()) > 0 {
			return sourceRate
		}
	}
	return wanted
}

// take counts something that the source a does. wait, if not 0, is how long it may not.
func (g *guard) take(a netip.Addr, r limit.Rate, of uint32, now time.Duration) (wait time.Duration) {
	return g.buckets.Take(limit.KeyOf(a.As16(), g.prefix6, of), r, now)
}

// turnedAway looks at the source of the request in x.req. in is what came behind the head. It
// reports whether the request was answered with a refusal.
func (x *exchange) turnedAway(g *guard, in []byte) bool {
	c := x.c
	if c.refused != wanted {
		x.wantsKeep = false
		x.refuseSource(c.refused)
		x.answerAhead(in, c.refused.status())
		return true
	}
	x.source = x.view.tell.source(netip.AddrFrom16(c.peer).Unmap(), &x.req)
	if !g.admits(x.source) {
		x.refuseSource(sourceDenied)
		x.answerAhead(in, sourceDenied.status())
		return true
	}
	return g.rate.On() && x.tooMany(g, g.rate, 0, in)
}

// tooMany counts the request of x.source. It reports whether it was one too many, and answered so.
func (x *exchange) tooMany(g *guard, r limit.Rate, of uint32, in []byte) bool {
	wait := g.take(x.source, r, of, x.w.clock())
	if wait == 0 {
		return false
	}
	x.refuseSource(sourceRate)
	x.retryAfter = int((wait + time.Second - 1) / time.Second)
	x.answerAhead(in, sourceRate.status())
	return true
}

// refuseSource counts a refusal, and notes it for the log.
func (x *exchange) refuseSource(r refusal) {
	x.c.count().refused[r].Add(1)
	x.rec.close('P', 'R', r.reason())
}

// turnAway answers a client that is not wanted without waiting for its request.
func (c *client) turnAway() {
	if c.x == nil {
		c.x = c.w.newExchange(c)
	}
	c.x.setView(c.f.view.Load())
	c.phase = phaseBusy
	c.x.refuseSource(c.refused)
	c.x.answer(c.refused.status())
}
