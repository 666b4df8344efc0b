package lbcore_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// secure gives the frontend certificates of a.
func secure(c *lbcore.TLSConfig) bedOption {
	return func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { fe.TLS = c }
}

// dialTLS connects a client that trusts a.
func (l *bed) dialTLS(cfg *tls.Config) (*rawTLS, error) {
	l.t.Helper()
	c := l.dial()
	conn := tls.Client(c.TCPConn, cfg)
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	return &rawTLS{conn, bufio.NewReader(conn), c}, nil
}

func (l *bed) mustTLS(cfg *tls.Config) *rawTLS {
	l.t.Helper()
	c, err := l.dialTLS(cfg)
	must(l.t, err)
	return c
}

type rawTLS struct {
	*tls.Conn
	r   *bufio.Reader
	raw *rawConn
}

func (c *rawTLS) say(s string) { _, _ = io.WriteString(c, s) }

func (c *rawTLS) answer(t *testing.T) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("answer %s: body: %v", resp.Status, err)
	}
	return resp, string(body)
}

func trusting(a *authority, name string) *tls.Config {
	return &tls.Config{RootCAs: a.pool(), ServerName: name}
}

func TestAKeptTLSConnectionIsServedLikeAnother(t *testing.T) {
	a := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %d", r.Header.Get("X-Forwarded-Proto"), r.Method, len(body))
		})), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
		cfg := trusting(a, "x")
		cfg.MaxVersion = version
		c := l.mustTLS(cfg)
		for i := range 5 {
			c.say(get)
			if resp, body := c.answer(t); resp.StatusCode != 200 || body != "https GET 0" {
				t.Fatalf("answer %d: %s %q", i, resp.Status, body)
			}
			c.say(post(100_000 * i))
			if resp, body := c.answer(t); resp.StatusCode != 200 || body != fmt.Sprintf("https POST %d", 100_000*i) {
				t.Fatalf("answer %d: %s %q", i, resp.Status, body)
			}
		}
		n := l.counters()
		if n.TLS.Handshakes != 1 || n.TLS.Failed.Total() != 0 || n.Requests != 10 || n.Accepted != 1 {
			t.Errorf("counters %+v", n)
		}
		must(t, c.Close())
		eventually(t, "the connection's end", func() bool { return l.counters().Current == 0 })
	}
}

// However a body is framed, it passes; and a client that reads nothing stops the
// backend, since TLS takes no more than it can send.
func TestBodiesPassTLSUnchangedAndASlowClientStopsTheBackend(t *testing.T) {
	a := newAuthority(t)
	const size = 16 << 20
	l := newBed(t, one(httpBackend(t, "s1", mirror)), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	transport := &http.Transport{TLSClientConfig: trusting(a, "x")}
	t.Cleanup(transport.CloseIdleConnections)
	for _, framing := range []string{"length", "chunked", "close"} {
		req, err := http.NewRequest("POST", "https://"+l.addr+"/?size=3000000&framing="+framing, pattern(5<<20, 1))
		must(t, err)
		if framing == "length" {
			req.ContentLength = 5 << 20
		}
		resp, err := transport.RoundTrip(req)
		must(t, err)
		got := sum(resp.Body)
		resp.Body.Close()
		if resp.Header.Get("X-Received") != sum(pattern(5<<20, 1)) || got != sum(pattern(3_000_000, 2)) {
			t.Errorf("%s: one side received something else", framing)
		}
	}
	before := l.poolState().Backends[0].Counters.BytesIn
	c := l.mustTLS(trusting(a, "x"))
	c.say(fmt.Sprintf("GET /?size=%d&framing=length HTTP/1.1\r\nHost: x\r\n\r\n", size))
	taken, still := uint64(0), 0
	eventually(t, "the backend is read no further", func() bool {
		n := l.poolState().Backends[0].Counters.BytesIn - before
		if n != taken {
			taken, still = n, 0
		}
		still++
		return taken > 0 && still > 50
	})
	if taken > size*3/4 {
		t.Errorf("%d bytes were taken from the backend for a client that reads nothing", taken)
	}
	if _, body := c.answer(t); sum(strings.NewReader(body)) != sum(pattern(size, 2)) {
		t.Error("the client received something else")
	}
}

func TestTheCertificateIsChosenByName(t *testing.T) {
	a := newAuthority(t)
	rsa := a.signRSA("both.example.com")
	l := newBed(t, nil, secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{
		a.sign("default.example.org"), a.sign("www.example.com"), a.sign("*.example.com", "example.com"), rsa, a.sign("both.example.com"),
	}}))
	for _, c := range []struct{ ask, get string }{
		{"www.example.com", "www.example.com"},
		{"WWW.Example.com", "www.example.com"},
		{"other.example.com", "*.example.com"},
		{"example.com", "*.example.com"},
		{"a.b.example.com", "default.example.org"},
		{"", "default.example.org"},
		{"elsewhere.net", "default.example.org"},
		{"both.example.com", "both.example.com"},
	} {
		conn := l.mustTLS(&tls.Config{InsecureSkipVerify: true, ServerName: c.ask})
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != c.get {
			t.Errorf("asked for %q: got the certificate of %q, want %q", c.ask, got, c.get)
		}
	}
	// An old client that knows RSA alone gets that one of two.
	conn := l.mustTLS(&tls.Config{
		InsecureSkipVerify: true, ServerName: "both.example.com", MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	})
	if !conn.ConnectionState().PeerCertificates[0].Equal(rsa.Leaf) {
		t.Error("a client that knows RSA alone got the other certificate")
	}
}

func TestHandshakesThatFailAreCountedByReason(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	l := newBed(t, nil, secure(&lbcore.TLSConfig{
		Certificates: []tls.Certificate{a.sign("x")}, MinVersion: tls.VersionTLS13,
		ClientCerts: lbcore.ClientCertsRequired, ClientCAs: a.pool(),
	}), func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		fe.Timeouts.Handshake = 2 * time.Second // the others are done by then, on a busy machine too
	})
	try := func(cfg *tls.Config) {
		raw := l.dial()
		defer raw.Close()
		c := tls.Client(raw.TCPConn, cfg)
		err := c.Handshake()
		if err == nil { // TLS 1.3 tells a client only with the first byte that it is refused
			_, err = c.Read(make([]byte, 1))
		}
		if err == nil {
			t.Error("a handshake that must fail succeeds")
		}
	}
	old := trusting(a, "x")
	old.MaxVersion = tls.VersionTLS12
	try(old)
	h2 := trusting(a, "x")
	h2.NextProtos = []string{"h3"}
	try(h2)
	try(trusting(stranger, "x"))
	try(trusting(a, "x"))
	bad := trusting(a, "x")
	bad.Certificates = []tls.Certificate{stranger.sign("me")}
	bad.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &bad.Certificates[0], nil }
	try(bad)
	plain := l.dial()
	plain.say(get)
	l.dial().Close()
	half := l.dial()
	half.say("\x16\x03\x01\x02\x00\x01")
	quiet := l.dial()
	want := lbcore.TLSFailures{Timeout: 2, Gone: 1, NotTLS: 1, NoCommon: 2, Certificate: 2, Refused: 1}
	eventually(t, "all are counted", func() bool { return l.counters().TLS.Failed.Total() == want.Total() })
	if got := l.counters().TLS; got.Failed != want || got.Handshakes != 0 {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	half.ended(t)
	quiet.ended(t)
	plain.Close()
	half.Close()
	quiet.Close()
	eventually(t, "nothing is left", func() bool { return l.counters().Current == 0 })
}

func TestAClientCertificateLetsIn(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	for _, mode := range []lbcore.ClientCerts{lbcore.ClientCertsOptional, lbcore.ClientCertsRequired} {
		l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), secure(&lbcore.TLSConfig{
			Certificates: []tls.Certificate{a.sign("x")}, ClientCerts: mode, ClientCAs: a.pool(),
		}))
		ask := func(certs ...tls.Certificate) error {
			cfg := trusting(a, "x")
			if len(certs) > 0 {
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
			}
			c, err := l.dialTLS(cfg)
			if err != nil {
				return err
			}
			c.say(get)
			_, err = http.ReadResponse(c.r, nil)
			return err
		}
		if err := ask(a.sign("me")); err != nil {
			t.Errorf("%s: with a good certificate: %v", mode, err)
		}
		if err := ask(stranger.sign("me")); err == nil {
			t.Errorf("%s: a stranger's certificate lets in", mode)
		}
		if err := ask(); (err == nil) != (mode == lbcore.ClientCertsOptional) {
			t.Errorf("%s: without a certificate: %v", mode, err)
		}
	}
}

// The end of a TLS stream is told by close_notify, before the end of the connection:
// else a client cannot tell a whole answer from one that was cut off.
func TestTheEndOfTheStreamIsTold(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}),
		func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			fe.Timeouts.Idle = 100 * time.Millisecond
		})
	for name, request := range map[string]string{
		"after the last answer": "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"after a refusal":       "GET / HTTP/3.1\r\n\r\n",
		"after the idle time":   get,
	} {
		t.Run(name, func(t *testing.T) {
			c := l.dial()
			spy := &alerts{Conn: c.TCPConn}
			conn := tls.Client(spy, trusting(a, "x"))
			_, err := io.WriteString(conn, request)
			must(t, err)
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 ")) {
				t.Fatalf("%q, %v", got, err)
			}
			if spy.ended {
				t.Error("the connection ended before close_notify")
			}
		})
	}
}

// alerts notes that the connection's own end was read.
type alerts struct {
	net.Conn
	ended bool
}

func (a *alerts) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	a.ended = a.ended || errors.Is(err, io.EOF)
	return n, err
}

// A client that has said close_notify waits for its answer: that ends its own side only.
func TestAClientMayCloseItsSideOfTLSAndIsAnswered(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(50 * time.Millisecond)
		_, _ = io.WriteString(w, "late")
	})), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	c := l.mustTLS(trusting(a, "x"))
	c.say(get)
	must(t, c.CloseWrite())
	if _, body := c.answer(t); body != "late" {
		t.Errorf("answer %q", body)
	}
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestADrainEndsTLSConnectionsBehindAnAnswer(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	c := l.mustTLS(trusting(a, "x"))
	c.say(get)
	c.answer(t)
	l.Drain()
	c.say(get + get + get) // sent ahead: all are answered, the last one ends
	for i := range 3 {
		if resp, _ := c.answer(t); resp.Close != (i == 2) {
			t.Errorf("answer %d says close: %v", i, resp.Close)
		}
	}
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestCertificatesAreReplacedUnderLiveConnections(t *testing.T) {
	a := newAuthority(t)
	first, second := a.sign("x"), a.sign("x")
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{first}}))
	old := l.mustTLS(trusting(a, "x"))
	fe := l.fe
	fe.TLS = &lbcore.TLSConfig{Certificates: []tls.Certificate{second}}
	must(t, l.SetFrontends([]lbcore.FrontendConfig{fe}))
	if c := l.mustTLS(trusting(a, "x")); !c.ConnectionState().PeerCertificates[0].Equal(second.Leaf) {
		t.Error("a new connection got the old certificate")
	}
	for range 3 {
		old.say(get)
		if resp, _ := old.answer(t); resp.StatusCode != 200 || resp.Close {
			t.Fatalf("the old connection: %s, close %v", resp.Status, resp.Close)
		}
	}
	fe.TLS = &lbcore.TLSConfig{}
	if err := l.SetFrontends([]lbcore.FrontendConfig{fe}); err == nil || !strings.Contains(err.Error(), "0 certificates") {
		t.Errorf("a set without certificates: %v", err)
	}
	if c := l.mustTLS(trusting(a, "x")); !c.ConnectionState().PeerCertificates[0].Equal(second.Leaf) {
		t.Error("a bad set took the certificate away")
	}
}

func TestRunEndsAHandshakeUnderWay(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, nil, secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	c := l.dial()
	c.say("\x16\x03\x01\x02\x00\x01") // the beginning of a greeting, for whose rest a goroutine waits
	eventually(t, "the handshake is under way", func() bool { return lbcore.HandshakesUnderWay(l.Proxy) == 1 })
	l.stop()
}

// Handshakes beyond the bound wait for those before them, and begin when one is over.
func TestHandshakesBeyondTheBoundWait(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, nil, oneLoop, secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	defer lbcore.BoundHandshakes(l.Proxy, 2)()
	stalled := []*rawConn{l.dial(), l.dial()}
	for _, c := range stalled {
		c.say("\x16\x03\x01\x02\x00\x01")
	}
	eventually(t, "two are under way", func() bool { return lbcore.HandshakesUnderWay(l.Proxy) == 2 })
	done := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := l.dialTLS(trusting(a, "x"))
			done <- err
		}()
	}
	eventually(t, "three wait", func() bool { return lbcore.HandshakesWaiting(l.Proxy) == 3 })
	stalled[0].Close()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// quietLog is for servers that are meant to fail.
var quietLog = log.New(io.Discard, "", 0)

// forwardedFor answers with what a backend is told of the client.
func forwardedFor(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header.Get("X-Forwarded-For"), " ", r.Header.Get("X-Forwarded-Port"), " ", r.Header.Get("X-Forwarded-Proto"))
}
