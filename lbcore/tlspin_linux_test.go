package lbcore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// drip is a connection that gives one byte, then nothing, then the next one.
type drip struct {
	net.Conn
	in    []byte
	ready bool
}

func (d *drip) Read(p []byte) (int, error) {
	d.ready = !d.ready
	switch {
	case d.ready:
		return 0, errAgain
	case len(d.in) == 0:
		return 0, io.EOF
	}
	p[0] = d.in[0]
	d.in = d.in[1:]
	return 1, nil
}

// What secured builds on: tls.Conn.Read, interrupted after any byte by an error that
// is Temporary, goes on where it was; with one that is not, it is over. This is how
// crypto/tls behaves today, and no promise of its documentation.
func TestCryptoTLSGoesOnAfterATemporaryError(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := shaken(t, version)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 4096) // of several records
		records := record(t, client, func() {
			_, _ = client.Conn.Write(sent[:10])
			_, _ = client.Conn.Write(sent[10:])
			_ = client.Conn.CloseWrite()
		})
		server.under.Conn = &drip{in: records}
		var got []byte
		buf, interrupted := make([]byte, 3000), 0
		for {
			n, err := server.Conn.Read(buf)
			got = append(got, buf[:n]...)
			if errors.Is(err, errAgain) {
				interrupted++
			} else if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: after %d bytes: %v", tls.VersionName(version), len(got), err)
			}
		}
		if !bytes.Equal(got, sent) || interrupted < len(records)-len(records)/10 {
			t.Errorf("%s: received %d bytes of %d, interrupted %d times in %d", tls.VersionName(version), len(got), len(sent), interrupted, len(records))
		}
	}
	server, _ := shaken(t, tls.VersionTLS13)
	server.under.Conn = failing{}
	if _, err := server.Conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	server.under.Conn = &drip{}
	if _, err := server.Conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after an error that is not temporary: %v", err)
	}
}

type failing struct{ net.Conn }

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// swap is a connection whose other side can be replaced.
type swap struct{ net.Conn }

func (s *swap) SetDeadline(time.Time) error      { return nil }
func (s *swap) SetWriteDeadline(time.Time) error { return nil }

type side struct {
	*tls.Conn
	under *swap
}

// shaken returns the two ends of a connection after its handshake.
func shaken(t *testing.T, version uint16) (server, client side) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	server.under, client.under = &swap{a}, &swap{b}
	server.Conn = tls.Server(server.under, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: version, SessionTicketsDisabled: true,
	})
	client.Conn = tls.Client(client.under, &tls.Config{InsecureSkipVerify: true, ServerName: "x", MaxVersion: version})
	done := make(chan error)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// record returns what a side sends in f.
func record(t *testing.T, s side, f func()) []byte {
	t.Helper()
	var w written
	s.under.Conn = &w
	f()
	return w.Bytes()
}

type written struct {
	net.Conn
	bytes.Buffer
}

func (w *written) Read(p []byte) (int, error)  { return w.Buffer.Read(p) }
func (w *written) Write(p []byte) (int, error) { return w.Buffer.Write(p) }

// The texts by which a failure is counted are crypto/tls's own.
func TestCryptoTLSSaysWhatIsCounted(t *testing.T) {
	for _, c := range []struct {
		name           string
		server, client *tls.Config
	}{
		{"version", &tls.Config{MinVersion: tls.VersionTLS13}, &tls.Config{MaxVersion: tls.VersionTLS12}},
		{
			"cipher",
			&tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}},
			&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		},
		{"key exchange", &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}, &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}},
		{"protocol", &tls.Config{NextProtos: []string{"http/1.1"}}, &tls.Config{NextProtos: []string{"h2"}}},
	} {
		a, b := net.Pipe()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.server.Certificates = []tls.Certificate{{Certificate: [][]byte{{1}}, PrivateKey: key}}
		c.client.InsecureSkipVerify = true
		go func() {
			_ = tls.Client(b, c.client).Handshake()
			b.Close()
		}()
		err = tls.Server(a, c.server).Handshake()
		a.Close()
		if err == nil {
			t.Fatalf("%s: no failure", c.name)
		}
		var n tlsCounts
		if n.failed(err); n.noCommon.Load() != 1 {
			t.Errorf("%s: %q is not counted as nothing in common", c.name, err)
		}
	}
}
