package lbcore

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// Mode is what a frontend takes its clients' bytes for.
type Mode string

// The modes of a frontend.
const (
	ModeHTTP Mode = "http" // requests (the default)
	ModeTCP  Mode = "tcp"  // a connection for each of the client's, and bytes passed on both ways
)

// SNIRoute sends connections to a pool by the server name that their TLS greeting
// asks for, which is passed on with all the rest: TLS is not terminated.
type SNIRoute struct {
	// Names are host names; one that begins with "*." stands for one label.
	Names []string
	Pool  string
}

// Bounds of FrontendConfig.
const (
	MaxSNIRoutes   = 1000
	MaxAcceptProxy = 100
)

func (c *FrontendConfig) checkMode(bad func(string, ...any)) {
	switch c.Mode {
	case "":
		c.Mode = ModeHTTP
	case ModeHTTP, ModeTCP:
	default:
		bad("mode %q: want %q or %q", c.Mode, ModeHTTP, ModeTCP)
	}
	if c.Mode == ModeTCP && (c.RedirectHTTPS != 0 || len(c.ResponseHeaders) > 0) {
		bad("mode %q has no requests to redirect and no answers to give headers", ModeTCP)
	}
	if len(c.SNI) > 0 && (c.Mode != ModeTCP || c.TLS != nil) {
		bad("routes by server name want mode %q without TLS of its own", ModeTCP)
	}
	if len(c.SNI) > MaxSNIRoutes || len(c.AcceptProxy) > MaxAcceptProxy {
		bad("%d routes by server name and %d networks of proxies: want at most %d and %d", len(c.SNI), len(c.AcceptProxy), MaxSNIRoutes, MaxAcceptProxy)
	}
	seen := make(map[string]bool)
	for _, r := range c.SNI {
		if r.Pool == "" || len(r.Names) == 0 {
			bad("a route by server name without name or pool")
		}
		for _, n := range r.Names {
			n = strings.ToLower(n)
			if strings.Contains(strings.TrimPrefix(n, "*."), "*") || n == "" {
				bad("server name %q: want one such as \"www.example.com\" or \"*.example.com\"", n)
			}
			if seen[n] {
				bad("server name %q is routed twice", n)
			}
			seen[n] = true
		}
	}
}

// serverSpeaksFirst says that a client may wait for the server's first word.
func (c *FrontendConfig) serverSpeaksFirst() bool {
	return c.Mode == ModeTCP && c.TLS == nil && len(c.SNI) == 0
}

// newView makes a frontend's view, but for those of its routes by name.
func newView(name string, cfg FrontendConfig, pools map[string]*Pool) *frontendView {
	v := &frontendView{
		cfg:  cfg,
		tell: newTelling(&cfg),
		pool: pools[cfg.Pool],
		limits: http1.Limits{
			Head: cfg.Limits.Head,
			Line: cfg.Limits.Head / 2,
			Body: cfg.widestBody(),
		},
	}
	v.set, _ = http1.NewFields(cfg.ResponseHeaders) // which were checked
	if cfg.TLS != nil {
		v.tls = newTLSServer(name, cfg.TLS, cfg.protocols())
	}
	return v
}

// widestBody bounds a body before it is known which rule its request meets; 0: nothing does.
func (c *FrontendConfig) widestBody() int64 {
	most := c.Limits.Body
	for i := range c.Rules {
		if most != 0 {
			most = max(most, c.Rules[i].BodyLimit)
		}
	}
	return most
}

// routes returns the view for each server name; nil without any.
func (v *frontendView) routes(pools map[string]*Pool) map[string]*frontendView {
	if len(v.cfg.SNI) == 0 {
		return nil
	}
	byName := make(map[string]*frontendView)
	for _, r := range v.cfg.SNI {
		other := *v
		other.pool = pools[r.Pool]
		for _, n := range r.Names {
			byName[strings.ToLower(n)] = &other
		}
	}
	return byName
}

// named returns the view for a server name: an exact one before a wildcard, and v
// itself if there is none.
func (v *frontendView) named(name string) *frontendView {
	if r := v.byName[name]; r != nil {
		return r
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		if r := v.byName["*."+rest]; r != nil {
			return r
		}
	}
	return v
}

// believes says that connections from there begin with a PROXY header.
func (v *frontendView) believes(peer netip.Addr) bool {
	return slices.ContainsFunc(v.cfg.AcceptProxy, func(p netip.Prefix) bool { return p.Contains(peer) })
}
