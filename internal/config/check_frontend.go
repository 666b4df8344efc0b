package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

func (c *checker) frontends(raws []*rawFrontend, cfg *Config) []Frontend {
	if len(raws) == 0 && !c.partial {
		c.add(place{file: cfg.Path}, "there is no frontend: nothing would be served", "add [[frontend]] with listen and pool")
	}
	var frontends []Frontend
	names := map[string]place{}
	pools := map[string]bool{}
	for _, p := range cfg.Pools {
		pools[p.Name] = true
	}
	for i, raw := range raws {
		f := Frontend{
			Name: raw.Name.V, Pool: raw.Pool.V,
			HeaderTimeout: raw.HeaderTimeout.V, IdleTimeout: raw.IdleTimeout.V, ClientTimeout: raw.ClientTimeout.V,
			HalfClose: raw.HalfClose.V, TunnelTimeout: raw.TunnelTimeout.V,
			MaxHeaderBytes: raw.MaxHeaderBytes.V, MaxBodyBytes: int64(raw.MaxBodyBytes.V), MinRate: raw.MinRate.V,
			Forwarded: raw.Forwarded.V, Trusted: c.networks(raw.Trusted), Via: c.pseudonym(raw.Via),
		}
		if listen, ok := c.bind(raw.Listen); ok {
			f.Listen = listen
			c.overlap(raws[:i], frontends, raw, listen)
		}
		if raw.Name.Set && !raw.Name.Bad {
			c.name(raw.Name, "the frontend's name")
			once(c, names, f.Name, raw.Name.At, fmt.Sprintf("the frontend name %q", f.Name))
		} else {
			f.Name = raw.Listen.V
		}
		f.MaxConn, f.Sources = raw.MaxConn.V, c.sources(raw)
		c.mode(raw, &f, pools)
		f.HTTP2 = c.http2(raw)
		f.Rules = c.rules(raw, pools)
		f.AccessLog, f.ErrorPages = raw.AccessLog.V, c.errorPages(raw.ErrorPages)
		f.TLS, f.ResponseHeaders = c.frontendTLS(&raw.TLS), c.responseHeaders(raw.ResponseHeaders)
		switch redirects := raw.Redirect.V == "https"; {
		case raw.Pool.Bad || c.partial:
		case !raw.Pool.Set && !redirects && len(raw.Rule) == 0:
			c.add(raw.Key, "frontend.pool is missing", `for example: pool = "web"`)
		case raw.Pool.Set && redirects:
			c.add(raw.Pool.At, "nothing reaches the pool: every request is redirected", "leave pool or redirect out")
		case raw.Pool.Set && !pools[f.Pool]:
			c.unknownPool(raw.Pool, slices.Sorted(maps.Keys(pools)))
		}
		frontends = append(frontends, f)
	}
	return frontends
}

// maxVia bounds a pseudonym, which stands in every request.
const maxVia = 64 // bytes

// pseudonym checks what is to stand in Via: a host name or a token, with a port or not (RFC 9110, 7.6.3).
func (c *checker) pseudonym(t text) string {
	wrong := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~!$&'*+:[]", r))
	}
	if !t.Bad && t.Set && (len(t.V) > maxVia || strings.ContainsFunc(t.V, wrong)) {
		c.add(t.At, fmt.Sprintf("%q is not a name for Via", t.V), fmt.Sprintf("at most %d letters, digits and signs such as - and ., as in \"tandem\"", maxVia))
	}
	return t.V
}

func (c *checker) unknownPool(t text, known []string) {
	remedy := didYouMean(t.V, known)
	if len(known) == 0 || remedy[0] != 'd' {
		remedy = fmt.Sprintf("add [pool.%s]", t.V)
	}
	c.add(t.At, fmt.Sprintf("there is no pool %q", t.V), remedy)
}

// overlap reports a frontend that would take connections meant for an earlier
// one: the same port on the same address, or on all addresses.
func (c *checker) overlap(raws []*rawFrontend, earlier []Frontend, raw *rawFrontend, listen netip.AddrPort) {
	for i, f := range earlier {
		if !overlaps(f.Listen, listen) {
			continue
		}
		msg := fmt.Sprintf("another frontend listens on %s already", raw.Listen.V)
		if f.Listen != listen {
			msg = fmt.Sprintf("%s overlaps with %s of another frontend", raw.Listen.V, raws[i].Listen.V)
		}
		c.add(raw.Listen.At, msg, overlapRemedy(raws[i].Listen.At))
		return
	}
}

func overlapRemedy(first place) string {
	if first.line == 0 {
		return "give each another port or address"
	}
	return fmt.Sprintf("it stands on line %d; give each another port or address", first.line)
}

// overlaps tells whether two listening addresses can be asked for by one
// connection. An invalid Addr stands for all addresses; 0.0.0.0 and :: for
// all of their family.
func overlaps(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Port() != 0 && (covers(a.Addr(), b.Addr()) || covers(b.Addr(), a.Addr()))
}

func covers(listen, a netip.Addr) bool {
	return !listen.IsValid() || listen == a || a.IsValid() && listen.IsUnspecified() && listen.Is4() == a.Is4()
}

// ports reports frontends on ports that Tandem itself needs.
func (c *checker) ports(raw *rawConfig, cfg *Config) {
	own := []struct {
		what, key string
		at        netip.AddrPort
	}{
		{"gossip", "cluster.gossip", cfg.Cluster.Gossip},
		{"the balancers' adverts and state", "cluster.advert_port", netip.AddrPortFrom(netip.Addr{}, cfg.Cluster.AdvertPort)},
		{"the status page", "control.status", cfg.Control.Status},
	}
	for _, o := range own[:2] {
		if overlaps(cfg.Control.Status, o.at) {
			c.add(raw.Control.Status.At, fmt.Sprintf("port %d is needed for %s", o.at.Port(), o.what),
				"take another port for the status page, or set "+o.key)
		}
	}
	for i, f := range cfg.Frontends {
		for _, o := range own {
			if overlaps(f.Listen, o.at) {
				c.add(raw.Frontend[i].Listen.At, fmt.Sprintf("port %d is needed for %s", o.at.Port(), o.what),
					"take another port here, or set "+o.key)
			}
		}
	}
}

// coverage reports VIPs on which nobody would listen.
func (c *checker) coverage(raw *rawConfig, cfg *Config) {
	if len(cfg.Frontends) == 0 || c.partial {
		return
	}
	for i, v := range cfg.VIPs {
		covered := !v.Address.IsValid()
		for _, f := range cfg.Frontends {
			// A frontend without a port has been reported as wrong; it may have been meant for this VIP.
			covered = covered || f.Listen.Port() == 0 || covers(f.Listen.Addr(), v.Address)
		}
		if !covered {
			c.add(raw.VIP[i].Address.At, fmt.Sprintf("no frontend listens on the VIP %s", v.Address),
				fmt.Sprintf(`add one with listen = %q, or let one listen on all addresses: ":80"`, netip.AddrPortFrom(v.Address, 80)))
		}
	}
}
