package lbcore

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"sync"
	"time"
)

// MaxCertificates bounds those of one frontend.
const MaxCertificates = 1000

// ClientCerts says whether clients prove who they are by a certificate.
type ClientCerts string

// Whether clients are asked for a certificate, and may be without one. A bad one
// is never accepted.
const (
	ClientCertsNone     ClientCerts = "none" // not asked for (the default)
	ClientCertsOptional ClientCerts = "optional"
	ClientCertsRequired ClientCerts = "required"
)

// TLSConfig is how a frontend speaks TLS with its clients.
type TLSConfig struct {
	// Certificates with their keys, 1 to MaxCertificates. A client gets the one
	// for the name that it asks for: an exact one before a wildcard, which stands
	// for one label, and the first of all if none fits. Of several for one name,
	// as of different kinds of keys, it gets the first that it can use.
	Certificates []tls.Certificate
	// StrictSNI refuses a client that asks for a name that none of them is for, or for no name.
	StrictSNI bool
	// MinVersion is tls.VersionTLS12 (the default) or tls.VersionTLS13.
	MinVersion uint16
	// CipherSuites of TLS 1.2, by ID, of those in tls.CipherSuites. nil means
	// those that crypto/tls takes, which all have forward secrecy. Those of TLS 1.3
	// cannot be chosen.
	CipherSuites []uint16
	// ClientCerts, and who signs them. ClientCAsID tells one set of signers from
	// another: sessions that began under another one are not resumed.
	ClientCerts ClientCerts
	ClientCAs   *x509.CertPool
	ClientCAsID string
	// TicketSecrets is what the keys of session tickets are derived from: see
	// tickets.go. The first one seals, all open. nil: sessions are not resumed.
	TicketSecrets [][]byte
}

func (c *TLSConfig) check(bad func(string, ...any)) {
	if n := len(c.Certificates); n < 1 || n > MaxCertificates {
		bad("%d certificates: want 1 to %d", n, MaxCertificates)
	}
	for i := range c.Certificates {
		if c.Certificates[i].Leaf == nil || c.Certificates[i].PrivateKey == nil {
			bad("certificate %d is not parsed, or has no key", i)
		}
	}
	if v := c.MinVersion; v != 0 && v != tls.VersionTLS12 && v != tls.VersionTLS13 {
		bad("least version %s: want TLS 1.2 or TLS 1.3", tls.VersionName(v))
	}
	for _, id := range c.CipherSuites {
		if !safeSuite(id) {
			bad("cipher suite %s is not one of the safe ones of TLS 1.2", tls.CipherSuiteName(id))
		}
	}
	switch c.ClientCerts {
	case "", ClientCertsNone:
	case ClientCertsOptional, ClientCertsRequired:
		if c.ClientCAs == nil {
			bad("client certificates are %s, but nobody is named who signs them", c.ClientCerts)
		}
	default:
		bad("client certificates %q: want %q, %q or %q", c.ClientCerts, ClientCertsNone, ClientCertsOptional, ClientCertsRequired)
	}
	for _, s := range c.TicketSecrets {
		if len(s) < 16 {
			bad("a ticket secret of %d bytes: want 16 or more", len(s))
		}
	}
}

func safeSuite(id uint16) bool {
	for _, s := range tls.CipherSuites() {
		if s.ID == id && s.SupportedVersions[0] < tls.VersionTLS13 {
			return true
		}
	}
	return false
}

// tlsServer is what handshakes of one frontend work with. Connections that have
// one keep it; a new one serves the next handshakes.
type tlsServer struct {
	cfg *tls.Config

	secrets [][]byte
	scope   string
	mu      sync.Mutex // protects period
	period  int64      // that the keys in cfg are for; 0: none yet
}

func newTLSServer(frontend string, c *TLSConfig, protocols []string) *tlsServer {
	names := namedCertificates(c.Certificates)
	if c.StrictSNI {
		names.any = nil
	}
	s := &tlsServer{
		secrets: c.TicketSecrets,
		scope:   ticketScope(frontend, c),
		cfg: &tls.Config{
			GetCertificate:         names.choose,
			MinVersion:             max(c.MinVersion, tls.VersionTLS12),
			CipherSuites:           c.CipherSuites,
			ClientCAs:              c.ClientCAs,
			NextProtos:             protocols,
			SessionTicketsDisabled: len(c.TicketSecrets) == 0,
		},
	}
	switch c.ClientCerts {
	case ClientCertsOptional:
		s.cfg.ClientAuth = tls.VerifyClientCertIfGiven
	case ClientCertsRequired:
		s.cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return s
}

// config is what a handshake at that time works with.
func (s *tlsServer) config(now time.Time) *tls.Config {
	if len(s.secrets) == 0 {
		return s.cfg
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := ticketPeriod(now); p != s.period {
		s.period = p
		s.cfg.SetSessionTicketKeys(ticketKeys(s.secrets, s.scope, p))
	}
	return s.cfg
}

// certificates are a frontend's, by the names that they are for, in lower case; a
// wildcard's begins with "*.".
type certificates struct {
	all    []tls.Certificate
	byName map[string][]*tls.Certificate
	any    []*tls.Certificate // the first, and those for one of its names; nil: others are refused
}

func namedCertificates(all []tls.Certificate) *certificates {
	c := &certificates{all: all, byName: make(map[string][]*tls.Certificate)}
	for i := range all {
		for _, name := range certificateNames(&all[i]) {
			c.byName[name] = append(c.byName[name], &all[i])
		}
	}
	c.any = []*tls.Certificate{&all[0]}
	if names := certificateNames(&all[0]); len(names) > 0 {
		c.any = c.byName[names[0]]
	}
	return c
}

// certificateNames are the names that a certificate is for, in lower case. Those of
// the subject do not count (RFC 9525).
func certificateNames(c *tls.Certificate) (names []string) {
	for _, n := range c.Leaf.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	return names
}

// choose implements tls.Config.GetCertificate.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	fitting := c.lookup(strings.ToLower(strings.TrimSuffix(hello.ServerName, ".")))
	switch len(fitting) {
	case 0:
		return nil, nil // crypto/tls then says unrecognized_name (RFC 6066, 3)
	case 1:
		return fitting[0], nil
	}
	for _, cert := range fitting {
		if hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return fitting[0], nil
}

// lookup returns those for a name; there is at least one, unless names are taken strictly.
func (c *certificates) lookup(name string) []*tls.Certificate {
	if found := c.byName[name]; found != nil {
		return found
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		if found := c.byName["*."+rest]; found != nil {
			return found
		}
	}
	return c.any
}
