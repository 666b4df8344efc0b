package lbcore

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// Bounds of Config and of the sets.
const (
	MaxLoops       = 64
	MaxWeight      = 256
	DefaultWeight  = 100
	DefaultRetries = 3
	DefaultMinRate = 128 // bytes per second
)

// Config is what a Proxy is made of; it cannot change later.
type Config struct {
	// Loops is the number of event loops, 1 to MaxLoops. 0 means one per CPU.
	Loops int
	// Progress, if not nil, has one word per loop, possibly in shared memory.
	// Each loop increments its word atomically at least every 100 ms, idle or
	// not, so that a stuck loop can be told from an idle one.
	Progress []uint64
	// MaxConns bounds the client connections of one loop; beyond it a
	// connection waits in the kernel's accept queue. 0 means 50,000.
	MaxConns int
	// Log receives what an operator should know. nil means slog.Default().
	Log *slog.Logger
}

// FrontendConfig is one address clients connect to.
type FrontendConfig struct {
	// Name identifies the frontend across SetFrontends.
	Name string
	// Listeners are descriptors of TCP sockets that already listen, one per
	// loop (listener i is served by loop i modulo Loops), made with
	// SO_REUSEPORT when there is more than one. The Proxy makes none itself.
	// It owns them from the moment SetFrontends succeeds: it sets O_NONBLOCK
	// and TCP_NODELAY, and closes each that a later set leaves out, after it
	// has accepted what was queued on it.
	Listeners []int
	// Pool names the pool that serves the requests. A name without a pool is
	// answered with 503.
	Pool     string
	Limits   Limits
	Timeouts FrontendTimeouts
	// Forwarded says in which fields backends are told who asks: "x-forwarded" (the
	// default), "forwarded", "both" or "none". What clients say there of themselves
	// is dropped in any case.
	Forwarded string
	// Trusted are the networks of proxies in front of this one, at most MaxTrusted: what
	// they say in those fields goes on, with ours behind it.
	Trusted []netip.Prefix
	// Via is the pseudonym that requests gain in Via (RFC 9110, 7.6.3), at most MaxVia
	// bytes of visible ASCII; empty: none. Some servers do not compress what they
	// send when they see one.
	Via string
	// Mode is ModeHTTP (the default) or ModeTCP. A TCP connection is a tunnel: see
	// Timeouts.Tunnel; where no backend is up it is reset.
	Mode Mode
	// SNI routes connections of ModeTCP without TLS; who asks for no such name goes to
	// Pool. At most MaxSNIRoutes.
	SNI []SNIRoute
	// AcceptProxy are the networks of proxies whose connections begin with a header of
	// the PROXY protocol, version 1 or 2: they must, and nobody else's may. At most
	// MaxAcceptProxy.
	AcceptProxy []netip.Prefix
	// MaxConn bounds the open connections of all loops together; what is more waits in the
	// kernel's accept queue. 0: nothing does, but Config.MaxConns. At most MaxMaxConn. Loops
	// that accept at the same moment may exceed it, by one each.
	MaxConn int
	// Sources bounds what each source may do.
	Sources SourceLimits
	// TLS is what clients speak below HTTP or TCP; nil: nothing.
	TLS *TLSConfig
	// HTTP2 is how HTTP/2 is spoken with clients of ModeHTTP.
	HTTP2 HTTP2Config
	// RedirectHTTPS, if not 0, has every request answered by a redirect to the same
	// over TLS on this port.
	RedirectHTTPS int
	// Rules say which requests go elsewhere than to Pool, are changed, redirected or answered:
	// see package route. What meets none goes to Pool, or is answered with 404 if that is "".
	// At most route.MaxRules; only with ModeHTTP, and without RedirectHTTPS.
	Rules []route.Rule
	// AccessLog is what is written of requests and of TCP connections.
	AccessLog AccessLog
	// ErrorPages are bodies of our own answers, by status, 400 to 599.
	ErrorPages map[int]ErrorPage
	// ResponseHeaders are set on every final answer, in place of the backend's of the
	// same name. At most 64; not those that frame a message or belong to a connection.
	ResponseHeaders [][2]string
}

// Limits bound one request. The zero value means the defaults.
type Limits struct {
	// Head is the size of request line and header fields together, in bytes;
	// more is answered with 431, a request line of more than half of it with
	// 414. It bounds the heads of answers as well (502). 1024 to 65535, default
	// 16384.
	Head int
	// Body is the size of a request body, in bytes; more is answered with 413.
	// 0 means no limit.
	Body int64
	// MinRate is how many bytes per second a client must bring of a body, or take
	// of an answer, in the mean while it is waited for: otherwise a byte now and then
	// would keep a connection for ever. It may lag behind by Timeouts.Client.
	// 0 means DefaultMinRate, -1 none; at most 1 MiB.
	MinRate int
}

// FrontendTimeouts bound the phases of a client connection. Zero means the
// default. All are exact to about 100 ms.
type FrontendTimeouts struct {
	// Handshake runs from accept to the end of the TLS handshake (default 10 s).
	Handshake time.Duration
	// Header runs from the first byte of a request, or from accept or the end of
	// the TLS handshake, to the end
	// of its head (default 10 s); then 408, or silence if nothing had come.
	Header time.Duration
	// Idle runs while a kept connection waits for its next request (default
	// 60 s); then the connection is closed.
	Idle time.Duration
	// Client bounds each wait for the client to send more of a body or to take
	// more of an answer (default 30 s).
	Client time.Duration
	// HalfClose is how long a client that closed its sending side may still
	// wait for its answer to begin (default 2 s).
	HalfClose time.Duration
	// Tunnel is how long nothing may move, in either direction, on a connection
	// that was upgraded to another protocol, or in a call of gRPC whose client may
	// still speak (default 1 h); then it is closed.
	Tunnel time.Duration
}

// BackendConfig is one running app.
type BackendConfig struct {
	// ID identifies the backend across Pool.Set: the same ID keeps health and
	// counters. A new Addr under the same ID is a new app: it is checked anew.
	ID   string
	Addr netip.AddrPort
	// Weight is its share of the requests, 1 to MaxWeight. 0 means DefaultWeight.
	Weight int
	// MaxConn goes before the pool's; 0: it does not.
	MaxConn int
	// Backup has it given requests only while no other of the pool is up.
	Backup bool
	// Drain lets requests in flight end and gives it no new ones.
	Drain bool
}

func (c Config) withDefaults() (Config, error) {
	if c.Loops == 0 {
		c.Loops = min(runtime.NumCPU(), MaxLoops)
	}
	if c.MaxConns == 0 {
		c.MaxConns = 50_000
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	var errs []error
	if c.Loops < 1 || c.Loops > MaxLoops {
		errs = append(errs, fmt.Errorf("loops %d: want 1 to %d", c.Loops, MaxLoops))
	}
	if c.Progress != nil && len(c.Progress) < c.Loops {
		errs = append(errs, fmt.Errorf("progress has %d words: want one for each of %d loops", len(c.Progress), c.Loops))
	}
	if c.MaxConns < 1 {
		errs = append(errs, fmt.Errorf("maxconns %d: want 1 or more", c.MaxConns))
	}
	return c, errors.Join(errs...)
}

func (c FrontendConfig) withDefaults() (FrontendConfig, error) {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("frontend %q: "+format, append([]any{c.Name}, a...)...))
	}
	if c.Name == "" {
		bad("has no name")
	}
	if len(c.Listeners) == 0 {
		bad("has no listener")
	}
	if c.Limits.Head == 0 {
		c.Limits.Head = 16 << 10
	}
	if c.Limits.Head < 1<<10 || c.Limits.Head > 1<<16-1 {
		bad("head limit %d: want 1024 to 65535 bytes", c.Limits.Head)
	}
	if c.Limits.Body < 0 {
		bad("body limit %d is negative", c.Limits.Body)
	}
	if c.Limits.MinRate == 0 {
		c.Limits.MinRate = DefaultMinRate
	}
	if c.Limits.MinRate < -1 || c.Limits.MinRate > 1<<20 {
		bad("least rate %d: want 1 to 1048576 bytes per second, or -1", c.Limits.MinRate)
	}
	c.checkTelling(bad)
	t := &c.Timeouts
	orDefault(&t.Handshake, 10*time.Second)
	orDefault(&t.Header, 10*time.Second)
	orDefault(&t.Idle, 60*time.Second)
	orDefault(&t.Client, 30*time.Second)
	orDefault(&t.HalfClose, 2*time.Second)
	orDefault(&t.Tunnel, time.Hour)
	if min(t.Handshake, t.Header, t.Idle, t.Client, t.HalfClose, t.Tunnel) < 0 {
		bad("a timeout is negative: %+v", *t)
	}
	if c.TLS != nil {
		c.TLS.check(bad)
	}
	c.checkMode(bad)
	c.checkRules(bad)
	c.checkSources(bad)
	c.HTTP2.check(bad)
	c.AccessLog.check(bad)
	c.checkPages(bad)
	if c.RedirectHTTPS < 0 || c.RedirectHTTPS > 65535 {
		bad("redirect to port %d: want 1 to 65535", c.RedirectHTTPS)
	}
	if _, err := http1.NewFields(c.ResponseHeaders); err != nil {
		bad("%v", err)
	}
	return c, errors.Join(errs...)
}

func (c BackendConfig) withDefaults() (BackendConfig, error) {
	if c.Weight == 0 {
		c.Weight = DefaultWeight
	}
	c.Addr = netip.AddrPortFrom(c.Addr.Addr().Unmap(), c.Addr.Port())
	switch {
	case c.ID == "":
		return c, fmt.Errorf("backend %v has no id", c.Addr)
	case !c.Addr.IsValid() || c.Addr.Port() == 0 || c.Addr.Addr().IsUnspecified():
		return c, fmt.Errorf("backend %q: address %v: want an IP address and a port", c.ID, c.Addr)
	case c.Addr.Addr().Zone() != "":
		return c, fmt.Errorf("backend %q: address %v: want one without a zone; give the app an address that is not link-local", c.ID, c.Addr)
	case c.MaxConn < 0 || c.MaxConn > MaxMaxConn:
		return c, fmt.Errorf("backend %q: maxconn %d: want 1 to %d, or 0 for the pool's", c.ID, c.MaxConn, MaxMaxConn)
	case c.Weight < 1 || c.Weight > MaxWeight:
		return c, fmt.Errorf("backend %q: weight %d: want 1 to %d", c.ID, c.Weight, MaxWeight)
	}
	return c, nil
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// visible reports whether s is free of what could break out of a request line
// or header field.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
