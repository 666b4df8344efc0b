package lbcore

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/hello"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
	"github.com/tandem-lb/tandem/lbcore/internal/proxyproto"
)

// What stands before a client's own bytes, or is read ahead of them, is looked at where
// it waits, in the kernel: a connection that brings it in pieces holds no memory here.

// begin is the first step of a connection.
func (c *client) begin(peer netip.Addr) {
	v := c.f.view.Load()
	switch {
	case len(v.cfg.AcceptProxy) > 0 && v.believes(peer.Unmap()):
		c.phase = phaseProxyHeader
		c.w.Wheel.Set(&c.timer, c, c.w.Now()+v.cfg.Timeouts.Header)
	default:
		c.beginOwn(v)
	}
}

// beginOwn begins with what the client itself sends.
func (c *client) beginOwn(v *frontendView) {
	wait := v.cfg.Timeouts.Header
	switch {
	case v.guard != nil && !c.admitted(v):
		return
	case v.tls != nil:
		c.secure(v.tls)
		return
	case v.byName != nil:
		c.phase = phaseServerName
	case v.cfg.Mode == ModeTCP:
		c.passOn(v)
		return
	default:
		c.phase = phaseHead
	}
	c.w.Wheel.Set(&c.timer, c, c.w.Now()+wait)
}

// peek returns what has come; ok is false if nothing did, or the connection has ended.
func (c *client) peek() (b []byte, ok bool) {
	if !c.readable {
		return nil, false
	}
	n, errno := loop.Peek(int(c.fd), c.w.rbuf)
	c.readable = false // until more comes
	switch {
	case errno == unix.EAGAIN:
		return nil, false
	case errno != 0 || n == 0:
		c.count().aborted.Add(1)
		c.close()
		return nil, false
	}
	return c.w.rbuf[:n], true
}

// readProxyHeader reads who the client is, from a proxy that is believed.
func (c *client) readProxyHeader() bool {
	b, ok := c.peek()
	if !ok {
		return false
	}
	h, n, err := proxyproto.Parse(b)
	if err == nil && n == 0 {
		return c.enough()
	}
	if err != nil {
		c.count().badProxy.Add(1)
		c.close()
		return false
	}
	if k, errno := loop.Receive(int(c.fd), c.w.rbuf[:n]); k != n || errno != 0 {
		c.broken = true // it was there just now
		return false
	}
	c.readable = true
	if !h.Local {
		via := &transport{port: strconv.AppendUint(nil, uint64(h.Dst.Port()), 10), proto: c.via.proto, src: h.Src, dst: h.Dst}
		if h.TLS {
			via.proto = protoHTTPS
		}
		c.via, c.peer, c.port = via, h.Src.Addr().As16(), h.Src.Port()
	}
	c.beginOwn(c.f.view.Load())
	return true
}

// enough gives up who has ended before the preface was whole.
func (c *client) enough() bool {
	if c.eof {
		c.count().aborted.Add(1)
		c.close()
	}
	return false
}

// readServerName chooses the pool by the name in the TLS greeting, and leaves that to
// be passed on.
func (c *client) readServerName() bool {
	b, ok := c.peek()
	if !ok {
		return false
	}
	name, done, err := hello.ServerName(b)
	switch {
	case err != nil:
		c.count().badHello.Add(1)
		loop.Reset(int(c.fd))
		c.close()
		return false
	case !done:
		return c.enough()
	}
	c.readable = true
	c.passOn(c.f.view.Load().named(name))
	return true
}

// source and target are the client's address, and the one that it has connected to.
func (c *client) source() netip.AddrPort {
	if c.via.src.IsValid() {
		return c.via.src
	}
	return loop.PeerAddr(int(c.fd))
}

func (c *client) target() netip.AddrPort {
	if c.via.dst.IsValid() {
		return c.via.dst
	}
	return loop.LocalAddr(int(c.fd))
}
