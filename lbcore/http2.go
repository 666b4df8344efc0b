package lbcore

// alpnHTTP2 names HTTP/2 over TLS (RFC 9113, 3.2).
const alpnHTTP2 = "h2"

// Bounds of HTTP2Config.
const (
	MaxH2Streams    = 1000
	MinH2Window     = 65535 // bytes
	MaxH2Window     = 16 << 20
	DefaultH2Stream = 256 << 10
	DefaultH2Window = 1 << 20
)

// HTTP2Config is how a frontend of ModeHTTP speaks HTTP/2 with its clients. The zero value means not at all.
type HTTP2Config struct {
	// TLS offers it to clients that speak TLS, by ALPN.
	TLS bool
	// H2C takes it from clients of plain connections that begin with it (prior knowledge). An upgrade from
	// HTTP/1.1 is never made.
	H2C bool
	// MaxStreams is how many requests a connection may have under way, 1 to MaxH2Streams; 0 means 100. More are
	// refused in such a way that they may be sent again.
	MaxStreams int
	// StreamWindow and Window are how many bytes of request bodies a client may send ahead, of one request and of all
	// that a connection has: MinH2Window to MaxH2Window. 0 means DefaultH2Stream and DefaultH2Window.
	StreamWindow, Window int
}

func (c *HTTP2Config) check(bad func(string, ...any)) {
	if c.MaxStreams == 0 {
		c.MaxStreams = 100
	}
	if c.StreamWindow == 0 {
		c.StreamWindow = DefaultH2Stream
	}
	if c.Window == 0 {
		c.Window = max(DefaultH2Window, c.StreamWindow)
	}
	if c.MaxStreams < 1 || c.MaxStreams > MaxH2Streams {
		bad("%d streams of HTTP/2: want 1 to %d", c.MaxStreams, MaxH2Streams)
	}
	if min(c.StreamWindow, c.Window) < MinH2Window || max(c.StreamWindow, c.Window) > MaxH2Window {
		bad("HTTP/2 windows of %d and %d bytes: want %d to %d", c.StreamWindow, c.Window, MinH2Window, MaxH2Window)
	}
}

// protocols are those that a frontend speaks over TLS, the preferred first.
func (c *FrontendConfig) protocols() []string {
	if c.HTTP2.TLS && c.Mode == ModeHTTP {
		return []string{alpnHTTP2, "http/1.1"}
	}
	return []string{"http/1.1"}
}

// Protocol is what the backends of a pool speak.
type Protocol string

// The protocols of backends.
const (
	ProtocolHTTP1 Protocol = "http1"
	ProtocolHTTP2 Protocol = "h2"
)

func (c *PoolConfig) checkProtocol(bad func(string, ...any)) {
	switch c.Protocol {
	case "":
		c.Protocol = ProtocolHTTP1
	case ProtocolHTTP1:
	case ProtocolHTTP2:
		if c.SendProxy != 0 {
			bad("a PROXY header tells of one client, and a connection of protocol %q is for all: give up one of them", ProtocolHTTP2)
		}
	default:
		bad("protocol %q: want %q or %q", c.Protocol, ProtocolHTTP1, ProtocolHTTP2)
	}
}

func (c *PoolConfig) http2() bool { return c.Protocol == ProtocolHTTP2 }

// alpn is what backends with TLS must agree to.
func (c *PoolConfig) alpn() string {
	if c.http2() {
		return alpnHTTP2
	}
	return "http/1.1"
}
