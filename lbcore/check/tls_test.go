package check

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// signed makes a certificate that signs itself.
func signed(t *testing.T, until time.Time, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		DNSNames: names, IPAddresses: []net.IP{{127, 0, 0, 1}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	day := 24 * time.Hour
	good, trusted := signed(t, time.Now().Add(day), "app.example")
	old, trustedOld := signed(t, time.Now().Add(-day), "app.example")
	serve := func(cert tls.Certificate, http2 bool) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.EnableHTTP2 = http2
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	for _, tc := range []struct {
		name string
		s    *httptest.Server
		q    Question
		cfg  *tls.Config
		want string
	}{
		{"a handshake", serve(good, false), Question{}, &tls.Config{RootCAs: trusted, ServerName: "app.example"}, ""},
		{"by the address", serve(good, false), Question{}, &tls.Config{RootCAs: trusted}, ""},
		{"another name", serve(good, false), Question{}, &tls.Config{RootCAs: trusted, ServerName: "other.example"}, "TLS handshake: x509: certificate is valid for app.example, not other.example"},
		{"a stranger", serve(good, false), Question{}, &tls.Config{RootCAs: trustedOld, ServerName: "app.example"}, "TLS handshake: x509: certificate signed by unknown authority"},
		{"expired", serve(old, false), Question{}, &tls.Config{RootCAs: trustedOld, ServerName: "app.example"}, "TLS handshake: x509: certificate has expired"},
		{"HTTP", serve(good, true), Question{Kind: HTTP, Expect: "HTTP/1.1 GET"}, &tls.Config{RootCAs: trusted, ServerName: "app.example"}, ""},
		{"HTTP/2", serve(good, true), Question{Kind: HTTP, HTTP2: true, Expect: "HTTP/2.0 GET"}, &tls.Config{RootCAs: trusted, ServerName: "app.example"}, ""},
		{"no HTTP/2", serve(good, false), Question{Kind: HTTP, HTTP2: true}, &tls.Config{RootCAs: trusted, ServerName: "app.example"}, "TLS handshake: "},
		{"a stranger by HTTP", serve(good, false), Question{Kind: HTTP}, &tls.Config{RootCAs: trustedOld, ServerName: "app.example"}, "unknown authority"},
	} {
		said(t, tc.name, ask(t, tc.q, addrOf(tc.s.Listener.Addr()), tc.cfg), tc.want)
	}
	said(t, "no TLS there", ask(t, Question{}, raw(t, "220 mail.example ESMTP\r\n", false), &tls.Config{RootCAs: trusted}), "TLS handshake: tls: first record does not look like a TLS handshake")
}
