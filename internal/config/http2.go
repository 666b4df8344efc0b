package config

// HTTP2 is how a frontend speaks HTTP/2 with its clients.
type HTTP2 struct {
	Enabled      bool // over TLS
	H2C          bool // over plain connections that begin with it
	MaxStreams   int  // requests under way on one connection; more are refused
	StreamWindow int  // bytes of a request's body that may be sent ahead
	Window       int  // and of all those of a connection
}

// http2 checks [frontend.http2].
func (c *checker) http2(raw *rawFrontend) HTTP2 {
	h := &raw.HTTP2
	out := HTTP2{Enabled: h.Enabled.V, H2C: h.H2C.V, MaxStreams: h.MaxStreams.V, StreamWindow: h.StreamWindow.V, Window: h.Window.V}
	secure := raw.TLS.Key != (place{})
	switch {
	case h.Key == (place{}):
	case raw.Mode.V == "tcp":
		c.add(h.Key, `HTTP/2 is HTTP, but the mode is "tcp"`, "leave [frontend.http2] out: bytes are passed on as they are")
	case h.H2C.V && secure:
		c.add(h.H2C.At, "h2c is HTTP/2 without TLS, which this frontend speaks", "leave h2c out: over TLS, HTTP/2 is on unless enabled = false")
	case h.Enabled.Set && h.Enabled.V && !secure:
		c.add(h.Enabled.At, "browsers speak HTTP/2 over TLS only, and this frontend has no [frontend.tls]", "h2c = true serves clients that begin with HTTP/2 on plain connections, as gRPC's do")
	case !h.Enabled.V && !h.H2C.V && (h.MaxStreams.Set || h.StreamWindow.Set || h.Window.Set):
		c.warn(h.Key, "HTTP/2 is off here, so that its limits mean nothing", "leave them out")
	}
	return out
}

// protocol checks what the backends of a pool speak.
func (c *checker) protocol(raw *rawPool, p *Pool) {
	p.Protocol = raw.Protocol.V
	if p.Protocol != "h2" || raw.Protocol.Bad {
		return
	}
	if p.SendProxy != 0 {
		c.add(raw.SendProxy.At, `a PROXY header says whose a connection is, and one of protocol "h2" is everybody's`, "leave one of the two out")
	}
}
