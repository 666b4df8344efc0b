package config

import (
	"fmt"
	"strings"
)

// mode checks what a frontend's mode allows, and the pools of its routes by name.
func (c *checker) mode(raw *rawFrontend, f *Frontend, pools map[string]bool) {
	f.Mode = raw.Mode.V
	f.AcceptProxy = c.networks(raw.AcceptProxy)
	f.SNIPools = c.sniPools(raw, pools)
	if f.Mode != "tcp" || raw.Mode.Bad {
		return
	}
	for _, k := range []struct {
		name string
		set  bool
		at   place
	}{
		{"redirect", raw.Redirect.Set && raw.Redirect.V != "none", raw.Redirect.At},
		{"response_headers", raw.ResponseHeaders.Set, raw.ResponseHeaders.At},
		{"max_header_bytes", raw.MaxHeaderBytes.Set, raw.MaxHeaderBytes.At},
		{"max_body_bytes", raw.MaxBodyBytes.Set, raw.MaxBodyBytes.At},
		{"min_rate", raw.MinRate.Set, raw.MinRate.At},
		{"idle_timeout", raw.IdleTimeout.Set, raw.IdleTimeout.At},
		{"client_timeout", raw.ClientTimeout.Set, raw.ClientTimeout.At},
		{"half_close_timeout", raw.HalfClose.Set, raw.HalfClose.At},
		{"forwarded", raw.Forwarded.Set, raw.Forwarded.At},
		{"trusted", raw.Trusted.Set, raw.Trusted.At},
		{"via", raw.Via.Set, raw.Via.At},
		{"error_pages", raw.ErrorPages.Set, raw.ErrorPages.At},
	} {
		if k.set {
			c.add(k.at, k.name+` is about HTTP, but the mode is "tcp"`, "leave it out; tunnel_timeout bounds a connection on which nothing moves")
		}
	}
}

// sniPools checks "name=pool" routes.
func (c *checker) sniPools(raw *rawFrontend, pools map[string]bool) (routes [][2]string) {
	seen := map[string]place{}
	for _, t := range raw.SNIPools.V {
		name, pool, found := strings.Cut(t.V, "=")
		name = strings.ToLower(name)
		switch {
		case !found || !isHost(strings.TrimPrefix(name, "*.")):
			c.add(t.At, fmt.Sprintf("%q is not a server name and a pool", t.V), `write "www.example.com=web", or "*.example.com=web" for all names with one more label`)
		case !pools[pool] && !c.partial:
			c.add(t.At, fmt.Sprintf("there is no pool %q", pool), fmt.Sprintf("add [pool.%s]", pool))
		default:
			once(c, seen, name, t.At, "the server name "+name)
			routes = append(routes, [2]string{name, pool})
		}
	}
	if raw.SNIPools.Set && len(raw.SNIPools.V) > 0 && (raw.Mode.V != "tcp" || raw.TLS.Key != (place{})) {
		c.add(raw.SNIPools.At, `routes by server name pass TLS on as it is`, `set mode = "tcp", without [frontend.tls]`)
	}
	return routes
}

// poolTLS checks [pool.NAME.tls]; nil if there is none.
func (c *checker) poolTLS(name string, raw *rawPoolTLS) *PoolTLS {
	if raw.Key == (place{}) {
		return nil
	}
	t := &PoolTLS{CAs: c.authorities(raw.CAFile), ServerName: raw.ServerName.V, MinVersion: tlsVersions[raw.MinVersion.V], Verify: raw.Verify.V}
	if raw.ServerName.Set && !raw.ServerName.Bad && !isHost(t.ServerName) {
		c.add(raw.ServerName.At, fmt.Sprintf("%q is not a host name", t.ServerName), "write the name that stands in the certificates of the backends")
	}
	if raw.Certificate.Set && !raw.Certificate.Bad {
		if cert, ok := c.certificate(raw.Certificate); ok {
			t.Certificate = &cert
		}
	}
	switch {
	case raw.Verify.Bad || t.Verify:
	case raw.CAFile.Set:
		c.add(raw.CAFile.At, "ca_file names who is trusted, but verify = false trusts everybody", "leave one of them out")
	default:
		c.warn(raw.Verify.At, fmt.Sprintf("the certificates of the backends of pool %s are not verified: whoever can answer in their place reads and changes everything", name), "give ca_file, and leave verify out")
	}
	return t
}
