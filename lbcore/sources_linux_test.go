package lbcore_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// limited sets what sources may do.
func limited(s lbcore.SourceLimits) bedOption {
	return func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Sources = s }
}

// atOnce is a rate that lets in n at once, and then nobody for longer than a test takes.
func atOnce(n int) *route.Rate { return &route.Rate{Count: 1, Per: time.Hour, Burst: n} }

func networks(all ...string) (list []netip.Prefix) {
	for _, s := range all {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// from connects a client that has that address.
func (l *bed) from(addr string) *rawConn {
	l.t.Helper()
	c, err := l.tryFrom(addr)
	must(l.t, err)
	return c
}

// tryFrom is from where a reset may come before the connection is there.
func (l *bed) tryFrom(addr string) (*rawConn, error) {
	l.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	c, err := d.DialContext(l.t.Context(), "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	l.t.Cleanup(func() { c.Close() })
	must(l.t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &rawConn{c.(*net.TCPConn), bufio.NewReader(c)}, nil
}

// ask sends a request on a connection that is kept, and returns the status.
func (c *rawConn) ask(t *testing.T, header string) *http.Response {
	t.Helper()
	c.say("GET / HTTP/1.1\r\nHost: x\r\n" + header + "\r\n")
	resp, _ := c.answer(t, "GET")
	return resp
}

func wantErrors(t *testing.T, l *bed, want lbcore.FrontendErrors) {
	t.Helper()
	if got := l.counters().Errors; got != want {
		t.Errorf("errors %+v, want %+v", got, want)
	}
}

// Whatever connections its requests come on, and whichever loops have these, a source has its
// rate, and others have theirs.
func TestEachSourceHasItsRate(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), limited(lbcore.SourceLimits{Rate: atOnce(20)}), inLog(lbcore.LogJSON),
		func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			f.ErrorPages = map[int]lbcore.ErrorPage{429: {Type: "text/plain", Body: []byte("slow down\n")}}
		})
	lines := logged(t, l)
	var clients []*rawConn
	for range 8 {
		clients = append(clients, l.dial())
	}
	for i := range 20 {
		if r := clients[i%8].ask(t, ""); r.StatusCode != 200 {
			t.Fatalf("request %d: %d", i+1, r.StatusCode)
		}
	}
	for _, c := range clients {
		for range 2 { // and the connection is kept
			c.say(get)
			r, body := c.answer(t, "GET")
			if after := r.Header.Get("Retry-After"); r.StatusCode != 429 || body != "slow down\n" || after != "3600" && after != "3599" && after != "3598" {
				t.Fatalf("status %d, %q, Retry-After %q", r.StatusCode, body, after)
			}
		}
	}
	if r := l.from("127.0.0.2").ask(t, ""); r.StatusCode != 200 {
		t.Errorf("another source: %d", r.StatusCode)
	}
	wantErrors(t, l, lbcore.FrontendErrors{SourceRate: 16})
	if n := strings.Count(strings.Join(lines(37), "\n"), `"flags":"PR","reason":"source_rate"`); n != 16 {
		t.Errorf("%d lines of the log tell of a refusal", n)
	}
}

// What is used stays used whatever is reloaded, but a new table begins anew.
func TestARateSurvivesAReload(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), limited(lbcore.SourceLimits{Rate: atOnce(2)}))
	reload := func(s lbcore.SourceLimits, want ...int) {
		t.Helper()
		l.fe.Sources = s
		must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
		c := l.dial()
		for i, status := range want {
			if r := c.ask(t, ""); r.StatusCode != status {
				t.Errorf("%+v, request %d: %d, want %d", s, i+1, r.StatusCode, status)
			}
		}
	}
	reload(lbcore.SourceLimits{Rate: atOnce(2)}, 200, 200, 429)
	reload(lbcore.SourceLimits{Rate: atOnce(5)}, 200, 200, 200, 429) // the two are used
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool}))
	reload(lbcore.SourceLimits{Rate: atOnce(5), Prefix6: 56, Deny: networks("10.0.0.0/8")}, 429)
	reload(lbcore.SourceLimits{Rate: atOnce(1), Remembered: 2048}, 200, 429)
	reload(lbcore.SourceLimits{}, 200, 200, 200)
}

// Streams are refused, and not the connection.
func TestStreamsOfHTTP2AreLimited(t *testing.T) {
	l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", hello("b"))}, withHTTP2, limited(lbcore.SourceLimits{Rate: atOnce(3), MaxConn: 1}))
	c := h2Client(t)
	statuses := make(chan int, 9)
	get2(t, c, l.url("/")) // so that there is a connection
	var wg sync.WaitGroup
	for i := range 9 {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(t.Context(), "POST", l.url("/"), strings.NewReader(strings.Repeat("x", i*10_000)))
			resp, err := c.Do(req)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			statuses <- resp.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	got := map[int]int{}
	for s := range statuses {
		got[s]++
	}
	if got[200] != 2 || got[429] != 7 {
		t.Errorf("answers %v, want 2 of 200 and 7 of 429", got)
	}
	if n := l.counters(); n.HTTP2.Connections != 1 || n.Accepted != 1 || n.Errors != (lbcore.FrontendErrors{SourceRate: 7}) {
		t.Errorf("counters %+v", n)
	}
}

// A client that is in no network that is let in is told so in HTTP, and before TLS and on TCP it
// is reset.
func TestNetworksAreLetInOrNot(t *testing.T) {
	a := newAuthority(t)
	lists := limited(lbcore.SourceLimits{Allow: networks("127.0.0.0/30"), Deny: networks("127.0.0.2/32")})
	for name, o := range map[string]bedOption{
		"http": func(*lbcore.Config, *lbcore.FrontendConfig, *lbcore.PoolConfig) {},
		"tls":  secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}),
		"tcp":  func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Mode = lbcore.ModeTCP },
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), lists, inLog(lbcore.LogJSON), o)
			lines := logged(t, l)
			for i, addr := range []string{"127.0.0.2", "127.0.0.9", "127.0.0.1"} {
				var cfg *tls.Config
				if name == "tls" {
					cfg = trusting(a, "x")
				}
				said, err := l.askFrom(addr, cfg)
				switch {
				case i == 2:
					if !strings.HasSuffix(said, "s1") {
						t.Errorf("who is let in gets %q, %v", said, err)
					}
				case name == "http":
					if !strings.HasPrefix(said, "HTTP/1.1 403 ") {
						t.Errorf("%s gets %q, %v", addr, said, err)
					}
				case !errors.Is(err, syscall.ECONNRESET):
					t.Errorf("%s gets %q, %v", addr, said, err)
				}
			}
			wantErrors(t, l, lbcore.FrontendErrors{SourceDenied: 2})
			if n := l.counters().TLS; n.Handshakes > 1 || n.Failed.Total() != 0 {
				t.Errorf("handshakes %+v", n)
			}
			if all := strings.Join(lines(3), "\n"); strings.Count(all, `"flags":"PR","reason":"source_denied"`) != 2 {
				t.Errorf("the log says %s", all)
			}
		})
	}
}

// askFrom asks once, over TLS if cfg is not nil, and returns all that comes.
func (l *bed) askFrom(addr string, cfg *tls.Config) (said string, err error) {
	c, err := l.tryFrom(addr)
	if err != nil {
		return "", err
	}
	defer c.Close() // which ends a tunnel
	var conn net.Conn = c
	if cfg != nil {
		secured := tls.Client(c.TCPConn, cfg)
		if err := secured.Handshake(); err != nil {
			return "", err
		}
		conn = secured
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\nHost: x\r\n\r\n"); err != nil {
		return "", err // a reset is told once
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// On a connection that is kept, a network that was taken out is refused with the next request.
func TestAKeptConnectionIsRefusedOnceItsNetworkIs(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	c := l.dial()
	if r := c.ask(t, ""); r.StatusCode != 200 {
		t.Fatalf("status %d", r.StatusCode)
	}
	l.fe.Sources.Deny = networks("127.0.0.0/8")
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	if r := c.ask(t, ""); r.StatusCode != 403 {
		t.Fatalf("status %d", r.StatusCode)
	}
}

// Who a proxy speaks for is the source, if the proxy is trusted.
func TestTheSourceIsWhoATrustedProxySpeaksFor(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), limited(lbcore.SourceLimits{
		Deny: networks("198.51.100.0/24", "127.0.0.0/8"), Rate: atOnce(2), MaxConn: 1,
	}), inLog(lbcore.LogJSON), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Trusted = networks("127.0.0.1/32")
	})
	lines := logged(t, l)
	proxy, second := l.dial(), l.dial() // whose own connections are not counted
	for i, tc := range []struct {
		client string
		want   int
	}{{"192.0.2.1", 200}, {"192.0.2.1", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}, {"198.51.100.7", 403}, {"192.0.2.9, 198.51.100.7", 403}, {"198.51.100.7, 192.0.2.3", 200}} {
		if r := proxy.ask(t, "X-Forwarded-For: "+tc.client+"\r\n"); r.StatusCode != tc.want {
			t.Errorf("request %d, for %s: %d, want %d", i, tc.client, r.StatusCode, tc.want)
		}
	}
	if r := second.ask(t, ""); r.StatusCode != 403 {
		t.Errorf("for itself: %d", r.StatusCode)
	}
	if all := strings.Join(lines(8), "\n"); strings.Count(all, `","source":"192.0.2.1",`) != 3 || strings.Count(all, `"source":`) != 7 {
		t.Errorf("the log says\n%s", all)
	}
	if r := l.from("127.0.0.2").ask(t, "X-Forwarded-For: 192.0.2.5\r\n"); r.StatusCode != 403 {
		t.Errorf("somebody who is not trusted: %d", r.StatusCode)
	}
}

// The source is the PROXY header's, for connections too.
func TestTheSourceIsThatOfTheProxyHeader(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), limited(lbcore.SourceLimits{Deny: networks("198.51.100.0/24", "127.0.0.0/8"), MaxConn: 1}),
		func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			f.AcceptProxy = networks("127.0.0.1/32")
		})
	ask := func(client string) int {
		c := l.dial()
		c.say("PROXY TCP4 " + client + " 192.0.2.80 1234 80\r\n")
		return c.ask(t, "").StatusCode
	}
	for i, tc := range []struct {
		client string
		want   int
	}{{"192.0.2.1", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}, {"198.51.100.7", 403}} {
		if got := ask(tc.client); got != tc.want {
			t.Errorf("connection %d, of %s: %d, want %d", i, tc.client, got, tc.want)
		}
	}
}

// A source may have so many connections.
func TestEachSourceHasSoManyConnections(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), limited(lbcore.SourceLimits{MaxConn: 2}))
	first, second := l.dial(), l.dial()
	first.ask(t, "")
	second.ask(t, "")
	third := l.dial()
	third.say("GET / HT") // for which nobody waits
	if said := third.ended(t); !strings.HasPrefix(said, "HTTP/1.1 429 ") || !strings.Contains(said, "Connection: close") {
		t.Errorf("the third gets %q", said)
	}
	fourth := l.dial()
	fourth.say(get)
	if said := fourth.ended(t); !strings.HasPrefix(said, "HTTP/1.1 429 ") {
		t.Errorf("the fourth gets %q", said)
	}
	if r := l.from("127.0.0.2").ask(t, ""); r.StatusCode != 200 {
		t.Errorf("another source: %d", r.StatusCode)
	}
	wantErrors(t, l, lbcore.FrontendErrors{SourceConns: 2})
	first.Close()
	eventually(t, "room again", func() bool {
		c := l.dial()
		defer c.Close()
		return c.ask(t, "").StatusCode == 200
	})
}

// A WebSocket is a connection as long as it is there.
func TestATunnelIsOneOfASourcesConnections(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		_, _ = c.request()
		c.say(switched)
		_, _ = io.Copy(io.Discard, c.r)
	})), longChecks, limited(lbcore.SourceLimits{MaxConn: 1}))
	first := l.dial()
	first.say(upgrade)
	switchesTo(t, first, "websocket")
	c := l.dial()
	c.say(upgrade)
	if said := c.ended(t); !strings.HasPrefix(said, "HTTP/1.1 429 ") {
		t.Errorf("beside a tunnel: %q", said)
	}
	first.Close()
	eventually(t, "the tunnel's end", func() bool { return l.counters().Current == 0 })
	c = l.dial()
	c.say(upgrade)
	switchesTo(t, c, "websocket")
}

func TestTCPConnectionsOfASourceAreLimited(t *testing.T) {
	for name, s := range map[string]lbcore.SourceLimits{"rate": {Rate: atOnce(2)}, "maxconn": {MaxConn: 2}} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) { _, _ = io.Copy(c, c.r) })), limited(s), inLog(lbcore.LogHAProxy),
				func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Mode = lbcore.ModeTCP })
			lines := logged(t, l)
			echoes := func(addr string) error {
				c, err := l.tryFrom(addr)
				if err != nil {
					return err
				}
				if _, err := io.WriteString(c, "hello\n"); err != nil {
					return err // a reset is told once
				}
				_, err = c.r.ReadString('\n')
				return err
			}
			must(t, echoes("127.0.0.1"))
			must(t, echoes("127.0.0.1"))
			if err := echoes("127.0.0.1"); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the third: %v", err)
			}
			must(t, echoes("127.0.0.2"))
			if line := lines(1)[0]; !strings.Contains(line, " PR ") {
				t.Errorf("the log says %s", line)
			}
		})
	}
}
