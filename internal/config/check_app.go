package config

import (
	"fmt"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// appCheck checks [app.check]: what pools have in common with agents, and how TLS is spoken with
// an app, for which a pool would have a table of its own.
func (c *agentChecker) appCheck(raw *rawAppCheck) Check {
	ch := c.healthCheck(&raw.rawCheck)
	if raw.Protocol.Set && !raw.Protocol.Bad && ch.Kind != check.HTTP {
		c.add(raw.Protocol.At, "protocol belongs to a check by http", `add http = "/", or leave it out`)
	}
	ch.HTTP2 = raw.Protocol.V == "h2"
	if raw.TLS.Bad || !c.speaksTLS(raw) {
		return ch
	}
	if raw.CAFile.Set && !raw.Verify.V && !raw.Verify.Bad {
		c.add(raw.CAFile.At, "nobody vouches for a certificate that is not verified", "leave ca_file out, or verify = false")
	}
	if t := raw.ServerName; t.Set && !t.Bad && !isHost(t.V) {
		c.add(t.At, fmt.Sprintf("%q is not a host name", t.V), "write the name that stands in the certificate of the app")
	}
	ca := raw.CAFile
	ca.V = c.beside(ca)
	ch.TLS = &PoolTLS{CAs: c.authorities(ca), ServerName: raw.ServerName.V, MinVersion: tlsVersions["1.2"], Verify: raw.Verify.V}
	return ch
}

// speaksTLS says whether TLS is spoken: it is where anything is said about it.
func (c *agentChecker) speaksTLS(raw *rawAppCheck) bool {
	for _, k := range []struct {
		name string
		set  bool
		at   place
	}{
		{"server_name", raw.ServerName.Set, raw.ServerName.At},
		{"ca_file", raw.CAFile.Set, raw.CAFile.At},
		{"verify", raw.Verify.Set, raw.Verify.At},
	} {
		if !k.set {
			continue
		}
		if raw.TLS.Set && !raw.TLS.V {
			c.add(k.at, k.name+" belongs to a check that speaks TLS", "write tls = true, or leave it out")
			return false
		}
		return true
	}
	return raw.TLS.V
}
