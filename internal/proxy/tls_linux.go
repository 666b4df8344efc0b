package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// ownTicketSecret is for frontends without a secret that the balancers share.
var ownTicketSecret = newSecret()

func newSecret() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails; see its documentation
	return b
}

// tlsConfig turns what the keeper says of a frontend's TLS into lbcore's; nil stays nil.
func tlsConfig(t *ipc.TLS) (*lbcore.TLSConfig, error) {
	if t == nil {
		return nil, nil
	}
	c := &lbcore.TLSConfig{MinVersion: t.MinVersion, StrictSNI: t.StrictSNI, CipherSuites: t.CipherSuites, ClientCerts: lbcore.ClientCerts(t.ClientCerts)}
	for i, pair := range t.Certificates {
		cert, err := tls.X509KeyPair(pair.Chain, pair.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		c.Certificates = append(c.Certificates, cert)
	}
	if len(t.ClientCAs) > 0 {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(t.ClientCAs) {
			return nil, errors.New("no authority of client certificates can be read")
		}
		sum := sha256.Sum256(t.ClientCAs)
		c.ClientCAsID = hex.EncodeToString(sum[:])
	}
	if t.SessionTickets {
		if c.TicketSecrets = t.TicketSecrets; len(c.TicketSecrets) == 0 {
			c.TicketSecrets = [][]byte{ownTicketSecret}
		}
	}
	return c, nil
}

// backendTLS turns what the keeper says of TLS with backends into lbcore's; nil stays nil.
func backendTLS(t *ipc.PoolTLS) (*lbcore.BackendTLS, error) {
	if t == nil {
		return nil, nil
	}
	c := &lbcore.BackendTLS{ServerName: t.ServerName, MinVersion: t.MinVersion, Unverified: !t.Verify}
	if len(t.CAs) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(t.CAs) {
			return nil, errors.New("no authority of backends can be read")
		}
	}
	if t.Certificate != nil {
		cert, err := tls.X509KeyPair(t.Certificate.Chain, t.Certificate.Key)
		if err != nil {
			return nil, fmt.Errorf("the certificate that is shown to backends: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

func sniRoutes(routes [][2]string) (out []lbcore.SNIRoute) {
	for _, r := range routes {
		out = append(out, lbcore.SNIRoute{Names: []string{r[0]}, Pool: r[1]})
	}
	return out
}

func handshakeTimeout(t *ipc.TLS) time.Duration {
	if t == nil {
		return 0 // lbcore's default, which nothing runs by
	}
	return t.HandshakeTimeout
}

// tlsState is nil for a frontend without TLS.
func tlsState(c lbcore.TLSCounters) *ipc.TLSState {
	if c.Handshakes == 0 && c.Failed.Total() == 0 {
		return nil
	}
	f := c.Failed
	return &ipc.TLSState{
		Handshakes: c.Handshakes, Resumed: c.Resumed,
		Failed: map[string]uint64{
			"timeout": f.Timeout, "gone": f.Gone, "not_tls": f.NotTLS, "nothing_common": f.NoCommon,
			"unknown_name": f.UnknownName, "client_certificate": f.Certificate, "refused": f.Refused, "other": f.Other,
		},
	}
}
