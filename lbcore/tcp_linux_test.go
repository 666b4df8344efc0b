package lbcore_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func tcpMode(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
	fe.Mode = lbcore.ModeTCP
}

// tcpBackend starts a server of connections; checks, which say nothing, reach it too.
func tcpBackend(t testing.TB, id string, serve func(*net.TCPConn)) lbcore.BackendConfig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	return backendAt(id, ln.Addr())
}

func TestAServerMayHaveTheFirstWord(t *testing.T) {
	l := newBed(t, one(tcpBackend(t, "s1", func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		_, _ = io.Copy(c, c)
	})), tcpMode)
	c := l.dial()
	if line, err := c.r.ReadString('\n'); err != nil || line != "220 hello\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	c.say("ECHO\n")
	if line, err := c.r.ReadString('\n'); err != nil || line != "ECHO\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if n := l.counters(); n.Tunnels != 1 || n.Current != 1 || n.Requests != 0 {
		t.Errorf("counted %+v", n)
	}
	must(t, c.CloseWrite())
	c.ended(t)
	eventually(t, "the connection's end", func() bool { return l.counters().Current == 0 && l.poolState().Backends[0].Counters.Current == 0 })
}

// Each side may end its direction and is answered on the other; what was sent arrives
// whole, in both directions at once, large enough to be spliced.
func TestEachDirectionOfATCPConnectionEndsByItself(t *testing.T) {
	const size = 8 << 20
	done := make(chan string, 1)
	l := newBed(t, one(tcpBackend(t, "s1", func(c *net.TCPConn) {
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return // a check
		}
		go func() {
			_, _ = io.Copy(c, pattern(size, 2))
			_ = c.CloseWrite()
		}()
		h := sha256.New()
		n, err := io.Copy(h, c)
		done <- fmt.Sprintf("%d %x %v", n, h.Sum(nil), err)
	})), tcpMode, oneLoop)
	c := l.dial()
	c.say("x")
	got := make(chan string, 1)
	go func() { got <- sum(c.r) }()
	if down := <-got; down != sum(pattern(size, 2)) { // the server has ended its side
		t.Error("the client received something else")
	}
	h := sha256.New()
	_, err := io.Copy(c, io.TeeReader(pattern(size, 1), h))
	must(t, err)
	must(t, c.CloseWrite())
	if up := <-done; up != fmt.Sprintf("%d %x <nil>", size, h.Sum(nil)) {
		t.Errorf("the server received something else: %s", up)
	}
	eventually(t, "all is closed", func() bool { return l.counters().Current == 0 })
	if all, free := lbcore.Pipes(l.Proxy); all == 0 || all != free {
		t.Errorf("%d pipes, %d of them free: want some, and all of them", all, free)
	}
}

func TestAResetPassesThroughATCPConnection(t *testing.T) {
	ended := make(chan error, 1)
	l := newBed(t, one(tcpBackend(t, "s1", func(c *net.TCPConn) {
		b := make([]byte, 1)
		if _, err := c.Read(b); err != nil {
			return
		}
		if b[0] == 'r' {
			_ = c.SetLinger(0)
			return
		}
		_, _ = io.WriteString(c, "k")
		_, err := io.Copy(io.Discard, c)
		ended <- err
	})), tcpMode)
	c := l.dial()
	c.say("r")
	if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's reset reaches the client as %v", err)
	}
	c = l.dial()
	c.say("k")
	_, err := c.r.ReadByte()
	must(t, err)
	c.die()
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client's reset reaches the server as %v", err)
	}
}

func TestATCPConnectionWithoutABackendIsResetAndOneThatFailsIsMoved(t *testing.T) {
	l := newBed(t, nil, tcpMode)
	c, err := net.Dial("tcp", l.addr) // it may be reset before this returns
	if err == nil {
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(time.Minute)))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("without a backend: %v", err)
	}
	eventually(t, "it is counted", func() bool { n := l.counters(); return n.Errors.NoBackend == 1 && n.Current == 0 })
	dead, stop := stoppable(t, "dead")
	good := tcpBackend(t, "good", func(c *net.TCPConn) { _, _ = io.WriteString(c, "good") })
	l = newBed(t, []lbcore.BackendConfig{dead, good}, tcpMode, longChecks)
	stop()
	for range 4 {
		if got := l.dial().ended(t); got != "good" {
			t.Errorf("%q", got)
		}
	}
	if n := l.counters(); n.Retries == 0 {
		t.Errorf("counted %+v", n)
	}
}

func TestATCPConnectionInWhichNothingMovesIsClosed(t *testing.T) {
	l := newBed(t, one(tcpBackend(t, "s1", func(c *net.TCPConn) { _, _ = io.Copy(c, c) })), tcpMode,
		func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			fe.Timeouts.Tunnel = 300 * time.Millisecond
		})
	c := l.dial()
	for range 4 { // longer than the timeout, but never still
		c.say("x")
		_, err := c.r.ReadByte()
		must(t, err)
		time.Sleep(100 * time.Millisecond)
	}
	if rest := c.ended(t); rest != "" {
		t.Errorf("%q", rest)
	}
}

func TestConnectionsAreRoutedByServerNameAndNotTerminated(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	server := func(name string) lbcore.BackendConfig {
		cert := a.sign(name, "*."+name)
		return tcpBackend(t, name, func(c *net.TCPConn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			_, _ = io.WriteString(s, name)
			_ = s.Close()
		})
	}
	l := newBed(t, one(server("default.example")), tcpMode, func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		fe.SNI = []lbcore.SNIRoute{
			{Names: []string{"a.example", "*.a.example"}, Pool: "a"}, {Names: []string{"B.example"}, Pool: "b"}, {Names: []string{"nowhere.example"}, Pool: "none"},
		}
		fe.Timeouts.Header = 2 * time.Second
	})
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool, {Name: "a", Check: l.pool.Check}, {Name: "b", Check: l.pool.Check}}))
	must(t, l.Pool("a").Set(one(server("a.example"))))
	must(t, l.Pool("b").Set(one(server("b.example"))))
	eventually(t, "all are up", func() bool {
		s := l.Snapshot().Pools
		return s[0].Up+s[1].Up+s[2].Up == 3
	})
	for ask, want := range map[string]string{
		"a.example": "a.example", "x.A.example": "a.example", "b.example": "b.example", "x.b.example": "default.example",
		"default.example": "default.example", "": "default.example",
	} {
		c := l.dial()
		got, err := io.ReadAll(tls.Client(c.TCPConn, &tls.Config{InsecureSkipVerify: true, ServerName: ask}))
		if err != nil || string(got) != want {
			t.Errorf("asked for %q: %q, %v; want %q", ask, got, err, want)
		}
	}
	// In pieces, and what is none.
	c := l.dial()
	slow := tls.Client(&slowly{c.TCPConn}, trusting(a, "a.example"))
	if got, err := io.ReadAll(slow); err != nil || string(got) != "a.example" {
		t.Errorf("in pieces: %q, %v", got, err)
	}
	for name, say := range map[string]string{"HTTP": get, "half": "\x16\x03\x01\x02\x00\x01\x00", "nothing": ""} {
		c := l.dial()
		c.say(say)
		if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if n := l.counters().Errors; n.BadHello != 1 || n.HeaderTime != 2 {
		t.Errorf("counted %+v", n)
	}
	if _, err := io.ReadAll(tls.Client(l.dial().TCPConn, trusting(a, "nowhere.example"))); err == nil {
		t.Error("a route without a pool answers")
	}
}

// slowly writes in small pieces.
type slowly struct{ *net.TCPConn }

func (s *slowly) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		k := min(100, len(p)-n)
		_, err = s.TCPConn.Write(p[n : n+k])
		n += k
		time.Sleep(time.Millisecond)
	}
	return n, err
}

func acceptProxy(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
	fe.AcceptProxy = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	fe.Timeouts.Header = 500 * time.Millisecond
}

func TestAProxyIsBelievedWhoTheClientIs(t *testing.T) {
	echo := httpBackend(t, "s1", forwardedFor)
	l := newBed(t, one(echo), acceptProxy)
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	for name, c := range map[string]struct{ header, want string }{
		"1":           {"PROXY TCP4 192.0.2.1 192.0.2.2 5000 8080\r\n", "192.0.2.1 8080 http"},
		"1, IPv6":     {"PROXY TCP6 2001:db8::1 2001:db8::2 5000 8080\r\n", "2001:db8::1 8080 http"},
		"1, unknown":  {"PROXY UNKNOWN\r\n", "127.0.0.1 " + l.addr[strings.LastIndexByte(l.addr, ':')+1:] + " http"},
		"2":           {v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x1f\x90", "192.0.2.1 8080 http"},
		"2, over TLS": {v2 + "\x21\x11\x00\x14\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x1f\x90\x20\x00\x05\x01\x00\x00\x00\x00", "192.0.2.1 8080 https"},
	} {
		for _, whole := range []bool{true, false} {
			conn := l.dial()
			if whole {
				conn.say(c.header + get)
			} else {
				for i := range c.header {
					conn.say(c.header[i : i+1])
				}
				conn.say(get)
			}
			if _, body := conn.answer(t, "GET"); body != c.want {
				t.Errorf("%s: %q, want %q", name, body, c.want)
			}
			conn.say(get)
			if _, body := conn.answer(t, "GET"); body != c.want {
				t.Errorf("%s: the second request: %q, want %q", name, body, c.want)
			}
		}
	}
	for name, say := range map[string]string{"no header": get, "a bad one": "PROXY TCP4 1.2.3.4\r\n" + get, "half of one": "PROXY TC"} {
		conn := l.dial()
		conn.say(say)
		if b, err := io.ReadAll(conn.r); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if n := l.counters().Errors; n.BadProxy != 2 || n.HeaderTime != 1 {
		t.Errorf("counted %+v", n)
	}
	stranger := newBed(t, one(echo), func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		fe.AcceptProxy = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	conn := stranger.dial()
	conn.say("PROXY TCP4 192.0.2.1 192.0.2.2 5000 8080\r\n" + get)
	if resp, _ := conn.answer(t, "GET"); resp.StatusCode != 400 {
		t.Errorf("somebody who is not believed: %s", resp.Status)
	}
}

// A PROXY header stands before TLS as well, and before a TCP connection's bytes; and a
// backend is told in its turn.
func TestAProxyHeaderPassesThroughEachKindOfFrontend(t *testing.T) {
	a := newAuthority(t)
	header := "PROXY TCP4 192.0.2.1 192.0.2.2 5000 8080\r\n"
	for version := 1; version <= 2; version++ {
		send := func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.SendProxy = version }
		got := make(chan string, 2)
		backend := tcpBackend(t, "s1", func(c *net.TCPConn) {
			b, err := io.ReadAll(io.LimitReader(c, 28+int64(len(header)-28)*int64(2-version)+int64(len("hello"))))
			if err == nil && len(b) > 0 {
				got <- string(b)
			}
		})
		want := header
		if version == 2 {
			want = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x1f\x90"
		}
		l := newBed(t, one(backend), tcpMode, acceptProxy, send, longChecks)
		l.dial().say(header + "hello")
		if b := <-got; b != want+"hello" {
			t.Errorf("version %d: the backend is told %q, want %q", version, b, want)
		}
		echo := tcpBackend(t, "s1", func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
		l = newBed(t, one(echo), tcpMode, acceptProxy, secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
		c := l.dial()
		c.say(header)
		s := tls.Client(c.TCPConn, trusting(a, "x"))
		_, err := io.WriteString(s, "over TLS")
		must(t, err)
		must(t, s.CloseWrite())
		if b, err := io.ReadAll(s); err != nil || string(b) != "over TLS" {
			t.Errorf("%q, %v", b, err)
		}
	}
	// HTTP: each request has a connection of its own, with its client's header.
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		line, _ := c.r.ReadString('\n')
		if _, err := c.request(); err == nil {
			c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(line), line))
		}
	})), acceptProxy, longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.SendProxy = 1 })
	c := l.dial()
	c.say(header + get + get)
	for range 2 {
		if _, body := c.answer(t, "GET"); body != header {
			t.Errorf("the backend is told %q", body)
		}
	}
	if n := l.poolState().Backends[0].Counters; n.Connects != 2 || n.Reused != 0 {
		t.Errorf("counted %+v", n)
	}
}

// A WebSocket's bytes pass through TLS on both sides, and it has its own timeout.
func TestATunnelPassesThroughTLSOnBothSides(t *testing.T) {
	a := newAuthority(t)
	cert := a.sign("app")
	backend := tcpBackend(t, "s1", func(c *net.TCPConn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		var head bytes.Buffer
		for b := make([]byte, 1); !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")); {
			if _, err := s.Read(b); err != nil {
				return
			}
			head.Write(b)
		}
		_, _ = io.WriteString(s, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(s, s)
		_ = s.CloseWrite()
	})
	l := newBed(t, one(backend), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}), backendTLS(&lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app"}),
		func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			fe.Timeouts.Tunnel = time.Second
		})
	open := func() *rawTLS {
		c := l.mustTLS(trusting(a, "x"))
		c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		if line, err := c.r.ReadString('\n'); err != nil || !strings.Contains(line, " 101 ") {
			t.Fatalf("%q, %v", line, err)
		}
		for line := ""; line != "\r\n"; {
			var err error
			line, err = c.r.ReadString('\n')
			must(t, err)
		}
		return c
	}
	c := open()
	const size = 3 << 20
	go func() {
		_, _ = io.Copy(c, pattern(size, 1))
		_ = c.CloseWrite()
	}()
	if got := sum(c.r); got != sum(pattern(size, 1)) {
		t.Error("something else came back")
	}
	eventually(t, "the tunnel's end", func() bool { return l.counters().Tunnels == 0 && l.counters().Current == 0 })
	c = open()
	var last time.Time
	eventually(t, "the tunnel is counted", func() bool {
		last = time.Now()
		c.say("x")
		return l.counters().Tunnels == 1
	})
	if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) || time.Since(last) < time.Second {
		t.Errorf("an idle tunnel: %v after %v", err, time.Since(last))
	}
}
