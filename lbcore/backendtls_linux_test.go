package lbcore_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/check"
)

func backendTLS(c *lbcore.BackendTLS) bedOption {
	return func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.TLS = c }
}

// tlsBackend is httpBackend with TLS.
func tlsBackend(t testing.TB, id string, cfg *tls.Config, h http.HandlerFunc) lbcore.BackendConfig {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = cfg
	s.Config.ErrorLog = quietLog
	s.StartTLS()
	t.Cleanup(s.Close)
	return backendAt(id, s.Listener.Addr())
}

func TestBackendsAreSpokenToOverTLSOnKeptConnections(t *testing.T) {
	a := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := &tls.Config{Certificates: []tls.Certificate{a.sign("app.example")}, MaxVersion: version, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool()}
		l := newBed(t, one(tlsBackend(t, "s1", cfg, mirror)), longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
			p.TLS = &lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app.example", Certificates: []tls.Certificate{a.sign("lb")}}
			p.Check.Kind, p.Check.Path = check.HTTP, "/?size=1&framing=length"
		})
		c := l.dial()
		for i, framing := range []string{"length", "chunked", "length"} {
			body := 1_000_000 * i
			c.say(fmt.Sprintf("POST /?size=3000000&framing=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", framing, body))
			go func() { _, _ = io.Copy(c, pattern(body, 1)) }()
			resp, got := c.answer(t, "POST")
			if resp.StatusCode != 200 || resp.Header.Get("X-Received") != sum(pattern(body, 1)) || sum(strings.NewReader(got)) != sum(pattern(3_000_000, 2)) {
				t.Errorf("%s, %s: one side received something else (%s)", tls.VersionName(version), framing, resp.Status)
			}
		}
		time.Sleep(50 * time.Millisecond) // for a kept connection to receive tickets, which must not end it
		c.say(get)
		c.answer(t, "GET")
		if n := l.poolState().Backends[0].Counters; n.Connects != 1 || n.Reused != 3 || n.Errors != (lbcore.BackendErrors{}) {
			t.Errorf("%s: counted %+v", tls.VersionName(version), n)
		}
	}
}

func TestABackendThatCannotProveWhoItIsIsDownAndGetsNothing(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	served := false
	serve := func(http.ResponseWriter, *http.Request) { served = true }
	signed := func(by *authority, name string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{by.sign(name)}}
	}
	for name, c := range map[string]struct {
		cfg  *tls.Config
		says string
	}{
		"another name":      {signed(a, "other.example"), "other.example"},
		"another authority": {signed(stranger, "app.example"), "unknown authority"},
		"too old":           {&tls.Config{Certificates: []tls.Certificate{a.sign("app.example")}, MaxVersion: tls.VersionTLS12}, "version"},
	} {
		l := newBed(t, nil, backendTLS(&lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app.example", MinVersion: tls.VersionTLS13}))
		must(t, l.Pool("web").Set(one(tlsBackend(t, "s1", c.cfg, serve))))
		eventually(t, name+" is checked", func() bool { return !l.poolState().Backends[0].CheckedAt.IsZero() })
		if b := l.poolState().Backends[0]; b.State != lbcore.StateDown || !strings.Contains(b.Reason, c.says) {
			t.Errorf("%s: %s because %q, want %q", name, b.State, b.Reason, c.says)
		}
		// Nor is it let in by a check of its own that looks away.
		l = newBed(t, one(tlsBackend(t, "s1", c.cfg, serve)), backendTLS(&lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app.example", MinVersion: tls.VersionTLS13}),
			func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.Check.Checker = alwaysWell{} })
		conn := l.dial()
		conn.say(get)
		if resp, _ := conn.answer(t, "GET"); resp.StatusCode != 502 && resp.StatusCode != 503 || served {
			t.Errorf("%s: %s, served %v", name, resp.Status, served)
		}
		if b := l.poolState().Backends[0]; !strings.Contains(b.LastError, c.says) {
			t.Errorf("%s: the last error is %q", name, b.LastError)
		}
	}
	l := newBed(t, one(tlsBackend(t, "s1", signed(stranger, "x"), hello("unverified"))), backendTLS(&lbcore.BackendTLS{Unverified: true}))
	conn := l.dial()
	conn.say(get)
	if _, body := conn.answer(t, "GET"); body != "unverified" {
		t.Errorf("%q", body)
	}
}

// A backend that answers the TCP handshake and then nothing is given up after the time
// for a connection, and closed once its goroutine has ended.
func TestABackendThatStallsInItsHandshakeIsGivenUp(t *testing.T) {
	a := newAuthority(t)
	stalls := backendAt("stalls", listenBacklog(t, 10))
	good := tlsBackend(t, "good", &tls.Config{Certificates: []tls.Certificate{a.sign("app")}}, hello("good"))
	before := descriptors(t)
	l := newBed(t, []lbcore.BackendConfig{stalls, good}, oneLoop, backendTLS(&lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app"}),
		func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
			p.Check.Checker = alwaysWell{}
			p.Timeouts.Connect = 200 * time.Millisecond
		})
	for range 2 {
		c := l.dial()
		c.say(get)
		if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 || body != "good" {
			t.Errorf("%s %q", resp.Status, body)
		}
		c.Close()
	}
	if n := l.counters(); n.Retries != 1 {
		t.Errorf("counted %+v", n)
	}
	eventually(t, "the stalled one is closed", func() bool { return l.poolState().Backends[0].Counters.Conns == 0 })
	l.stop()
	eventually(t, "no descriptor is left", func() bool { return descriptors(t) <= before+1 })
}

func TestAKeptConnectionFromBeforeAReloadIsNotUsedWithoutTLS(t *testing.T) {
	a := newAuthority(t)
	secured := tlsBackend(t, "s1", &tls.Config{Certificates: []tls.Certificate{a.sign("app")}}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS != nil)
	})
	l := newBed(t, one(secured), longChecks, backendTLS(&lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app"}))
	c := l.dial()
	c.say(get)
	if _, body := c.answer(t, "GET"); body != "true" {
		t.Fatalf("%q", body)
	}
	plain := l.pool
	plain.TLS = nil
	must(t, l.SetPools([]lbcore.PoolConfig{plain}))
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 400 { // net/http's answer to plain text
		t.Errorf("%s", resp.Status)
	}
}
