package lbcore

import (
	"bytes"
	"net/netip"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// grpcType begins the Content-Type of a call of gRPC.
var grpcType = []byte("application/grpc")

// ownFields is room for what a head gains on its way to the backend.
const ownFields = 512

// gained is how much a head gains on its way to the backend, or a little more.
func (x *exchange) gained() int {
	if x.act == nil {
		return ownFields
	}
	return ownFields + len(x.w.target) + len(x.act.host) + x.act.request.Len()
}

// begin starts the exchange for the head in x.req, which was the first n bytes
// of buf.
func (x *exchange) begin(buf []byte, n int) {
	x.c.count().requests.Add(1)
	x.begun = x.w.Now()
	r := &x.req
	x.minor, x.wantsKeep = r.Minor, r.KeepAlive && x.c.via.stream == nil
	x.headOnly, x.idempotent = classify(r.Method)
	x.chunked = r.Body.Kind == http1.Chunked
	x.upgrade = append(x.upgrade[:0], r.Upgrade...)
	x.hasBody = x.chunked || r.Body.Length > 0
	x.reqBody.Reset(r.Body, x.view.limits.Body, false)
	x.replayable = true
	x.noteRequest()
	if g := x.view.guard; g != nil && x.turnedAway(g, buf[n:]) {
		return
	}
	if port := x.view.cfg.RedirectHTTPS; port != 0 {
		x.redirect(port, buf[n:])
		return
	}
	if x.view.rules != nil && x.meet(buf[n:]) {
		return
	}

	if x.to != nil && x.to.view.Load().cfg.http2() {
		x.trailers, x.grpc = true, bytes.HasPrefix(r.Get("content-type"), grpcType)
		x.reqBody.KeepTrailers()
	}
	x.key = x.hashKey(x.to)
	x.stickTo()
	x.send = x.appendHead(x.w.get(len(buf) + x.gained()))
	send, rest, err := x.takeBody(x.send, buf[n:])
	x.send = send
	x.keepRest(rest)
	if err != nil {
		x.refused(err)
		x.answer(err.Status)
		return
	}
	x.try()
}

// refused notes what is wrong with the request.
func (x *exchange) refused(err *http1.Error) {
	x.c.count().refuse(err.Status)
	x.rec.close('P', 'R', err.Reason)
}

// classify says of a method whether its answers have no body, and whether it is
// idempotent (RFC 9110, 9.2.2).
func classify(method []byte) (headOnly, idempotent bool) {
	switch string(method) {
	case "HEAD":
		return true, true
	case "GET", "OPTIONS", "TRACE", "PUT", "DELETE":
		return false, true
	}
	return false, false
}

// appendHead appends the head for the backend.
func (x *exchange) appendHead(dst []byte) []byte {
	var addr [48]byte
	var hop [80]byte
	client, tell := netip.AddrFrom16(x.c.peer).Unmap(), &x.view.tell
	f := http1.Forward{
		Trusted:   tell.believes(client),
		Host:      x.host(),
		Via:       tell.via,
		HTTP2:     x.c.via.stream != nil,
		Trailers:  x.trailers,
		Expect100: true,
		Upgrade:   true,
		KeepAlive: true,
	}
	if a := x.act; a != nil {
		f.SetHost, f.Set, f.Target = a.host, a.request, x.w.target
	}
	if tell.x {
		f.Client, f.Port, f.Proto = client.AppendTo(addr[:0]), x.c.via.port, x.c.via.proto
	}
	if tell.standard {
		f.Hop = appendHop(hop[:0], client, x.c.via.proto)
	}
	return http1.AppendRequest(dst, &x.req, &f)
}

// host is what the backend is told when a HTTP/1.0 client names no host: the
// address it has connected to.
func (x *exchange) host() []byte {
	if len(x.req.Host) > 0 {
		return nil
	}
	return loop.LocalAddr(int(x.c.fd)).AppendTo(nil)
}

// takeBody appends to dst what in holds of the request's body, framed for the
// backend, and returns what follows the body. If it can, it returns a part of
// in instead of copying it.
func (x *exchange) takeBody(dst, in []byte) (out, rest []byte, err *http1.Error) {
	for {
		data, n, done, err := x.reqBody.Next(in)
		if err != nil {
			return dst, in, err
		}
		in = in[n:]
		switch {
		case x.chunked:
			dst = http1.AppendChunk(dst, data)
		case len(dst) == 0 && len(in) == 0:
			dst = data
		default:
			dst = append(dst, data...)
		}
		if done {
			x.reqDone = true
			if x.chunked {
				dst = x.reqBody.AppendEnd(dst)
			}
			return dst, in, nil
		}
		if n == 0 {
			return dst, in, nil
		}
	}
}

// keepRest stores the beginning of the next request. rest may lie in x.in.
func (x *exchange) keepRest(rest []byte) {
	switch {
	case len(rest) == 0:
		x.w.put(x.in)
		x.in = nil
	case cap(x.in) > 0:
		x.in = x.in[:copy(x.in[:cap(x.in)], rest)]
	default:
		x.in = append(x.w.get(len(rest)), rest...)
	}
	x.unparsed = len(rest) > 0
}

// flushRequest sends what waits for the backend.
func (x *exchange) flushRequest() bool {
	u := x.up
	if !u.writable {
		return false
	}
	if u.sealedWaits() {
		done, ok := u.flushSecured()
		if !ok {
			x.backendDeaf()
			return true
		}
		return done
	}
	if x.sent == len(x.send) {
		return x.flushSendPipe()
	}
	n, ok := u.write(x.send[x.sent:])
	x.sent += n
	x.handed = x.handed || n > 0
	if !ok {
		x.backendDeaf()
		return true
	}
	if x.sent < len(x.send) {
		return false
	}
	if !x.replayable {
		x.w.put(x.send)
		x.send, x.sent = nil, 0
	}
	return true
}

// backendDeaf notes that the backend takes no more of the request. It may have
// answered already; reading tells, and tells how the connection ended.
func (x *exchange) backendDeaf() {
	x.deaf = true
	x.up.readable = true
	x.sent = len(x.send)
	x.w.putPipe(x.sendPipe)
	x.sendPipe = nil
	if x.up.tls != nil {
		x.up.tls.drop()
	}
}

// readBody passes on more of the request's body. Nothing is waiting to be sent.
func (x *exchange) readBody() bool {
	if more, ok := x.spliceBody(); ok {
		return more
	}
	c := x.c
	n, ok := c.read(x.w.rbuf)
	if !ok {
		if c.eof {
			c.abort() // the body was cut off
		}
		return c.broken
	}
	x.replayable = false
	x.w.put(x.send)
	x.send, x.sent = nil, 0
	out, rest, err := x.takeBody(x.w.wbuf[:0], x.w.rbuf[:n])
	x.keepRest(rest)
	if err != nil {
		x.refused(err)
		x.fail(err.Status)
		return true
	}
	k := 0
	if x.up.writable && len(out) > 0 {
		k, ok = x.up.write(out)
		x.handed = true
		if !ok {
			x.backendDeaf()
			return true
		}
	}
	if k < len(out) {
		x.send = append(x.w.get(len(out)-k), out[k:]...)
	}
	return true
}
