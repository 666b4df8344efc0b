package keeper

import (
	"crypto/hkdf"
	"crypto/sha256"
	"log/slog"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// frontendTLS is what the proxy needs for a frontend's TLS. Of the balancer keys it gets
// only what the keys of session tickets follow from: it must not be able to move a VIP.
func frontendTLS(t *config.FrontendTLS, balancerKeys [][]byte) *ipc.TLS {
	if t == nil {
		return nil
	}
	m := &ipc.TLS{
		MinVersion: t.MinVersion, CipherSuites: t.CipherSuites, ClientCerts: t.ClientCerts, ClientCAs: t.ClientCAs,
		SessionTickets: t.SessionTickets, StrictSNI: t.StrictSNI, HandshakeTimeout: t.HandshakeTimeout,
	}
	for _, c := range t.Certificates {
		m.Certificates = append(m.Certificates, ipc.Certificate{Chain: c.Chain, Key: c.Key})
	}
	if t.SessionTickets {
		m.TicketSecrets = ticketSecrets(balancerKeys)
	}
	return m
}

// poolTLS is what the proxy needs for TLS with the backends of a pool.
func poolTLS(t *config.PoolTLS) *ipc.PoolTLS {
	if t == nil {
		return nil
	}
	m := &ipc.PoolTLS{CAs: t.CAs, ServerName: t.ServerName, MinVersion: t.MinVersion, Verify: t.Verify}
	if t.Certificate != nil {
		m.Certificate = &ipc.Certificate{Chain: t.Certificate.Chain, Key: t.Certificate.Key}
	}
	return m
}

// warnOf logs what is worth knowing about a configuration that is about to take effect.
func warnOf(log *slog.Logger, c *config.Config) {
	for _, w := range c.Warnings {
		log.Warn(w.Msg, "file", w.File, "line", w.Line, "remedy", w.Remedy)
	}
}

// ticketSecrets are the same on all balancers with the same keys; none without a key.
func ticketSecrets(balancerKeys [][]byte) [][]byte {
	return secretsFor("tandem session tickets", balancerKeys)
}

// sticky is what the proxy needs for a pool's sticky sessions.
func sticky(s *config.Sticky, balancerKeys [][]byte) *ipc.Sticky {
	if s == nil {
		return nil
	}
	return &ipc.Sticky{Cookie: s.Cookie, MaxAge: s.MaxAge, SameSite: s.SameSite, Secrets: secretsFor("tandem sticky cookies", balancerKeys)}
}

// secretsFor are a secret for a purpose from each of the balancer keys, which do not follow
// from it.
func secretsFor(purpose string, balancerKeys [][]byte) (secrets [][]byte) {
	for _, key := range balancerKeys {
		s, err := hkdf.Key(sha256.New, key, nil, purpose, sha256.Size)
		if err != nil {
			panic(err) // only for a length that cannot be
		}
		secrets = append(secrets, s)
	}
	return secrets
}
