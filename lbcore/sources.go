package lbcore

import (
	"net/netip"

	"github.com/tandem-lb/tandem/lbcore/internal/limit"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// SourceLimits bounds what each source of a frontend may do. The zero value bounds nothing.
//
// A source is an IPv4 address, or a network of IPv6 addresses: of a request the client's that
// a proxy in FrontendConfig.Trusted tells of, if one does; else that of the PROXY header, where
// there must be one; else that of the connection. What proxies in Trusted connect for is known
// with each request only: their connections are neither counted nor refused.
//
// What is refused of HTTP is answered with 403 or 429. A connection that begins with TLS is
// reset before the handshake, and one of ModeTCP, too.
type SourceLimits struct {
	// Allow and Deny are networks, at most MaxNetworks each. A source in Deny is refused,
	// and where Allow is not empty, one that is not in it.
	Allow, Deny []netip.Prefix
	// Rate bounds the requests of each source, or its connections with ModeTCP; nil: nothing
	// does. All loops share what they count; a rule's own Rate counts beside it.
	Rate *route.Rate
	// MaxConn bounds the open connections of each source, an HTTP/2 connection and a
	// WebSocket being one; 0: nothing does. At most MaxMaxConn. Those that are open when a
	// bound comes into force are not counted.
	MaxConn int
	// Prefix6 is how many bits of an IPv6 address make a source, 32 to 128; 0 means 64.
	Prefix6 int
	// Remembered is how many sources are remembered for Rate and those of rules together, 1024
	// to 4194304, at 32 bytes each; 0 means 65536. See package limit for what becomes of more.
	Remembered int
}

// MaxNetworks bounds SourceLimits.Allow and Deny.
const MaxNetworks = 1000

func (c *FrontendConfig) checkSources(bad func(string, ...any)) {
	s := &c.Sources
	if c.MaxConn < 0 || c.MaxConn > MaxMaxConn || s.MaxConn < 0 || s.MaxConn > MaxMaxConn {
		bad("maxconn %d, %d of each source: want 1 to %d, or 0 for no bound", c.MaxConn, s.MaxConn, MaxMaxConn)
	}
	if s.Prefix6 == 0 {
		s.Prefix6 = limit.DefaultPrefix6
	}
	if s.Prefix6 < 32 || s.Prefix6 > 128 {
		bad("%d bits of IPv6 addresses: want 32 to 128", s.Prefix6)
	}
	if s.Remembered == 0 {
		s.Remembered = limit.DefaultSources
	}
	if s.Remembered < limit.MinSources || s.Remembered > limit.MaxSources {
		bad("%d sources remembered: want %d to %d", s.Remembered, limit.MinSources, limit.MaxSources)
	}
	if s.Rate != nil {
		if msg := s.Rate.Problem(); msg != "" {
			bad("rate of each source: %s", msg)
		}
	}
	for _, list := range [][]netip.Prefix{s.Allow, s.Deny} {
		if len(list) > MaxNetworks {
			bad("%d networks: want at most %d", len(list), MaxNetworks)
		}
		for _, p := range list {
			if msg := route.BadNetwork(p); msg != "" {
				bad("%s", msg)
			}
		}
	}
}

// guard is a frontend's limits by source, ready for use. It is immutable but for the counts.
type guard struct {
	allow, deny route.Networks
	rate        limit.Rate
	buckets     *limit.Buckets // of this rate and of those of rules; nil: there are none
	maxConn     int
	prefix6     int
}

// newGuard makes the guard of a view that has its rules; nil if nothing goes by sources. It
// goes on with the counts of the guard before, if it remembers as many sources.
func (f *frontend) newGuard(v *frontendView) *guard {
	s := &v.cfg.Sources
	g := &guard{allow: route.NewNetworks(s.Allow), deny: route.NewNetworks(s.Deny), rate: limit.NewRate(s.Rate), maxConn: s.MaxConn, prefix6: s.Prefix6}
	rates, bySource := g.rate.On(), false
	if v.rules != nil {
		bySource = v.rules.table.BySource()
		for i := range v.rules.acts {
			rates = rates || v.rules.acts[i].rate.On()
		}
	}
	switch {
	case !rates:
		f.buckets = nil
	case f.buckets == nil || f.remembered != s.Remembered:
		f.buckets, f.remembered = limit.NewBuckets(s.Remembered), s.Remembered
	}
	g.buckets = f.buckets
	if !rates && !bySource && g.maxConn == 0 && g.allow.Empty() && g.deny.Empty() {
		return nil
	}
	return g
}

// admits says what the lists say of a source.
func (g *guard) admits(a netip.Addr) bool {
	return !g.deny.Contains(a) && (g.allow.Empty() || g.allow.Contains(a))
}

// refusal is why a source is turned away.
type refusal uint8

const (
	wanted refusal = iota // it is not
	sourceDenied
	sourceRate
	sourceConns
	refusals
)

// reason is the refusal's stable word.
func (r refusal) reason() string {
	return [refusals]string{sourceDenied: "source_denied", sourceRate: "source_rate", sourceConns: "source_maxconn"}[r]
}

func (r refusal) status() int {
	if r == sourceDenied {
		return 403
	}
	return 429
}
