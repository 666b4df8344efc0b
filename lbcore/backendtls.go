package lbcore

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
)

// BackendTLS is how TLS is spoken with the backends of a pool.
type BackendTLS struct {
	// RootCAs sign the certificates of backends; nil means those of the system.
	RootCAs *x509.CertPool
	// ServerName is asked for, and must be in the certificate; empty means the
	// backend's address.
	ServerName string
	// Certificates are shown to backends that ask for one.
	Certificates []tls.Certificate
	// MinVersion is tls.VersionTLS12 (the default) or tls.VersionTLS13.
	MinVersion uint16
	// Unverified takes every certificate: whoever can answer in a backend's place can
	// read and change everything.
	Unverified bool
}

// keptSessions bounds the sessions of a pool's backends that can be resumed.
const keptSessions = 1000

func (c *BackendTLS) check(bad func(string, ...any)) {
	if v := c.MinVersion; v != 0 && v != tls.VersionTLS12 && v != tls.VersionTLS13 {
		bad("least version %s for backends: want TLS 1.2 or TLS 1.3", tls.VersionName(v))
	}
}

// tlsClient is what handshakes with the backends of a pool work with.
type tlsClient struct{ cfg *tls.Config }

func newTLSClient(c *BackendTLS, protocol string) *tlsClient {
	if c == nil {
		return nil
	}
	return &tlsClient{&tls.Config{
		RootCAs: c.RootCAs, ServerName: c.ServerName, Certificates: c.Certificates,
		MinVersion: max(c.MinVersion, tls.VersionTLS12), InsecureSkipVerify: c.Unverified,
		NextProtos: []string{protocol}, ClientSessionCache: tls.NewLRUClientSessionCache(keptSessions),
	}}
}

// base is for checks, which set the rest themselves; nil without TLS.
func (t *tlsClient) base() *tls.Config {
	if t == nil {
		return nil
	}
	return t.cfg
}

// config is for one backend; raw says that it speaks no HTTP.
func (t *tlsClient) config(addr netip.Addr, raw bool) *tls.Config {
	cfg := t.cfg
	if cfg.ServerName == "" || raw {
		cfg = cfg.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = addr.String()
	}
	if raw {
		cfg.NextProtos = nil
	}
	return cfg
}
