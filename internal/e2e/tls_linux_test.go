package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tlsFile writes a certificate of its own signature, and its key, for www.example.
func tlsFile(t *testing.T, file string, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"www.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	write(t, file, out)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(out))
	return roots
}

// dialVIP connects the client to a port of the VIP.
func (s *site) dialVIP(port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(vip, port))
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// asking is a connection that is kept.
type asking struct {
	net.Conn
	r *bufio.Reader
}

func (a *asking) get() (*http.Response, error) {
	if _, err := fmt.Fprint(a, "GET / HTTP/1.1\r\nHost: www.example\r\n\r\n"); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(a.r, nil)
	if err != nil {
		return nil, err
	}
	_, err = bufio.NewReader(resp.Body).WriteTo(discard{})
	return resp, err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (s *site) tlsVIP(cfg *tls.Config) (*asking, tls.ConnectionState, error) {
	c, err := s.dialVIP(443)
	if err != nil {
		return nil, tls.ConnectionState{}, err
	}
	conn := tls.Client(c, cfg)
	a := &asking{conn, bufio.NewReader(conn)}
	if _, err = a.get(); err != nil {
		c.Close()
		return nil, tls.ConnectionState{}, err
	}
	return a, conn.ConnectionState(), nil
}

// TLS at the VIP: a renewed certificate comes by a reload and breaks nothing; after a power
// loss the peer resumes the sessions of the node that was lost. Beside it a frontend that
// redirects, and one that passes TCP on.
func TestTLSAtTheVIPRenewsItsCertificateAndItsSessionsSurviveATakeover(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file, cert := filepath.Join(dir, "tandem.toml"), filepath.Join(dir, "www.pem")
	roots := tlsFile(t, cert, 1)
	write(t, filepath.Join(dir, "balancer.key"), key('a')+"\n")
	write(t, file, `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
balancer_key_file = "balancer.key"
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[[frontend]]
listen = ":81"
redirect = "https"
[[frontend]]
name = "https"
listen = ":443"
pool = "web"
response_headers = ["Strict-Transport-Security: max-age=31536000"]
[frontend.tls]
certificates = ["www.pem"]
[[frontend]]
listen = ":8080"
pool = "web"
mode = "tcp"
[pool.web]
`)
	s.start("lb1", "lb", "--config", file)
	s.start("lb2", "lb", "--config", file)
	active := s.settled()

	cfg := &tls.Config{RootCAs: roots, ServerName: "www.example", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	kept, first, err := s.tlsVIP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := kept.get(); err != nil || resp.StatusCode != 200 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("over TLS: %v, %v", resp, err)
	}
	for port, want := range map[uint16]string{81: "301 Moved Permanently", 8080: "200 OK"} {
		c, err := s.dialVIP(port)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := (&asking{c, bufio.NewReader(c)}).get(); err != nil || resp.Status != want {
			t.Errorf("port %d: %v, %v; want %s", port, resp, err, want)
		}
		c.Close()
	}

	renewed := tlsFile(t, cert, 2)
	for _, lb := range []string{"lb1", "lb2"} {
		if out, err := s.tandem(lb, "reload"); err != nil || !strings.Contains(out, "frontend.https.tls.certificates") {
			t.Fatalf("reload of %s: %q, %v", lb, out, err)
		}
	}
	if resp, err := kept.get(); err != nil || resp.StatusCode != 200 || resp.Close {
		t.Errorf("a connection from before the renewal: %v, %v", resp, err)
	}
	cfg = &tls.Config{RootCAs: renewed, ServerName: "www.example", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	_, second, err := s.tlsVIP(cfg)
	if err != nil || second.DidResume || second.PeerCertificates[0].Equal(first.PeerCertificates[0]) {
		t.Fatalf("after the renewal: resumed %v, %v", second.DidResume, err)
	}
	write(t, cert, "no certificate")
	if out, err := s.tandem("lb1", "reload"); err == nil || !strings.Contains(err.Error(), "www.pem") {
		t.Errorf("a bad certificate: %q, %v", out, err)
	}

	s.power(active, false)
	s.untilOwnedBy(other(active))
	s.until("a session of the lost node resumes", func() (bool, string) {
		_, state, err := s.tlsVIP(cfg)
		return err == nil && state.DidResume, fmt.Sprint(state.DidResume, err)
	})
	s.until("status counts it", func() (bool, string) { // what it shows of the proxy is up to a second old
		out, err := s.tandem(other(active), "status")
		return err == nil && strings.Contains(out, "of them resumed"), fmt.Sprint(out, err)
	})
}
