package lbcore

import (
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
	"github.com/tandem-lb/tandem/lbcore/internal/proxyproto"
)

// passOn gives the client a connection to a backend of its own, at once: the server
// may have the first word. It is an exchange that has nothing to do but to become a
// tunnel.
func (c *client) passOn(v *frontendView) {
	x := c.w.newExchange(c)
	c.x, c.phase = x, phaseBusy
	x.rec.on = true
	x.setView(v)
	x.raw, x.reqDone, x.replayable = true, true, true
	x.key = x.hashKey(x.to)
	x.try()
}

// pumpRaw waits for the backend's connection.
func (x *exchange) pumpRaw() bool {
	if x.up == nil || x.up.connecting {
		return false
	}
	x.answered, x.started = true, true
	x.openTunnel()
	return true
}

// refuseRaw ends a connection that no backend was found for, in such a way that the
// client sees it.
func (x *exchange) refuseRaw() {
	c := x.c
	loop.Reset(int(c.fd))
	c.close()
}

// introduce sends whose connection it is, where the pool wants that. A fresh socket has
// room for it.
func (u *upstream) introduce() bool {
	x := u.x
	version := x.pool.cfg.SendProxy
	if version == 0 {
		return true
	}
	c := x.c
	b := proxyproto.Append(u.w.wbuf[:0], version, &proxyproto.Header{Src: c.source(), Dst: c.target(), TLS: &c.via.proto[0] == &protoHTTPS[0]})
	n, errno := loop.Write(int(u.fd), b)
	return errno == 0 && n == len(b)
}
