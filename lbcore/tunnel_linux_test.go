package lbcore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

const (
	upgrade  = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n"
)

// tunnelled is a client and the backend's end of its tunnel.
func tunnelled(t *testing.T, options ...bedOption) (l *bed, client, backend *rawConn) {
	t.Helper()
	ends, done := make(chan *rawConn), make(chan bool)
	t.Cleanup(func() { close(done) })
	l = newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		if _, err := c.request(); err == nil {
			c.say(switched)
			ends <- c
			<-done
		}
	})), append(options, longChecks)...)
	client = l.dial()
	client.say(upgrade)
	backend = <-ends
	switchesTo(t, client, "websocket")
	return l, client, backend
}

// switchesTo reads a 101.
func switchesTo(t *testing.T, c *rawConn, protocol string) {
	t.Helper()
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		b, err := c.r.ReadByte()
		if err != nil {
			t.Fatalf("%v after %q", err, head.String())
		}
		head.WriteByte(b)
	}
	got := head.String()
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, "\r\nUpgrade: "+protocol+"\r\nConnection: upgrade\r\n") {
		t.Fatalf("got %q", got)
	}
}

// hears reads exactly want.
func hears(t *testing.T, c *rawConn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if n, err := io.ReadFull(c.r, buf); err != nil || string(buf) != want {
		t.Fatalf("heard %q, %v: want %q", buf[:n], err, want)
	}
}

func (l *bed) allGone() {
	l.t.Helper()
	eventually(l.t, "nothing is left", func() bool {
		b := l.poolState().Backends[0].Counters
		return l.Connections() == lbcore.ConnCounts{} && l.counters().Tunnels == 0 && b.Current == 0 && b.Conns == 0
	})
}

func TestUpgradeMakesATunnel(t *testing.T) {
	l, c, b := tunnelled(t)
	eventually(t, "counted", func() bool {
		return l.Connections() == lbcore.ConnCounts{Total: 1, Tunnels: 1} && l.counters().Tunnels == 1
	})
	for range 3 {
		c.say("ping")
		hears(t, b, "ping")
		b.say("GET / HTTP/1.1\r\n\r\n") // what they say is theirs
		hears(t, c, "GET / HTTP/1.1\r\n\r\n")
	}
	must(t, c.CloseWrite())
	if rest := b.ended(t); rest != "" {
		t.Errorf("the backend got %q", rest)
	}
	b.say("last words")
	must(t, b.CloseWrite())
	if rest := c.ended(t); rest != "last words" {
		t.Errorf("the client got %q", rest)
	}
	l.allGone()
}

func TestBackendMayEndItsHalfOfATunnelFirst(t *testing.T) {
	l, c, b := tunnelled(t)
	b.say("bye")
	must(t, b.CloseWrite())
	if rest := c.ended(t); rest != "bye" {
		t.Errorf("the client got %q", rest)
	}
	for range 3 {
		c.say("still here")
		hears(t, b, "still here")
	}
	must(t, c.CloseWrite())
	b.ended(t)
	l.allGone()
}

// What stands directly behind the request, or behind the 101, is the tunnel's.
func TestBytesThatCameEarlyAreForwarded(t *testing.T) {
	release := make(chan bool)
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		r, err := c.request()
		if err != nil {
			return
		}
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "upgrade" || r.Header.Get("Sec-WebSocket-Key") != "k" {
			t.Errorf("the backend was asked %v", r.Header)
		}
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if b, err := c.r.ReadByte(); err == nil {
			t.Errorf("%q came before the 101", b)
		}
		_ = c.SetReadDeadline(time.Time{})
		<-release
		c.say("HTTP/1.1 103 Early Hints\r\n\r\n" + switched + "from the backend")
		_, _ = io.CopyN(c, c.r, int64(len("from the client, later")))
	})), longChecks)
	c := l.dial()
	c.say(upgrade + "from the client")
	close(release)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 103 {
		t.Errorf("status %d", resp.StatusCode)
	}
	switchesTo(t, c, "websocket")
	c.say(", later")
	if got := c.ended(t); got != "from the backendfrom the client, later" {
		t.Errorf("got %q", got)
	}
}

func TestTunnelsCarryMuchInBothDirectionsAtOnce(t *testing.T) {
	const size = 20 << 20
	l, c, b := tunnelled(t)
	sums := make(chan [32]byte, 4)
	for i, end := range []*rawConn{c, b} {
		payload := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(payload)
		sums <- sha256.Sum256(payload)
		go func() {
			_, _ = end.Write(payload)
			_ = end.CloseWrite()
		}()
	}
	want := [2][32]byte{<-sums, <-sums}
	got := make(chan [32]byte)
	go func() {
		h := sha256.New()
		_, _ = io.Copy(h, b.r)
		got <- [32]byte(h.Sum(nil))
	}()
	h := sha256.New()
	_, err := io.Copy(h, c.r)
	must(t, err)
	if [32]byte(h.Sum(nil)) != want[1] || <-got != want[0] {
		t.Error("what arrived is not what was sent")
	}
	l.allGone()
	if n := l.counters(); n.BytesIn < size || n.BytesOut < size || n.Errors.Cut+n.Errors.Aborted != 0 {
		t.Errorf("counters %+v", n)
	}
}

func TestAResetOnOneSideOfATunnelResetsTheOther(t *testing.T) {
	for _, tc := range []struct {
		name   string
		halves func(c, b *rawConn)
	}{
		{"open", func(_, _ *rawConn) {}},
		{"after its end of stream", func(dies, _ *rawConn) { _ = dies.CloseWrite() }},
		{"after the other's", func(_, other *rawConn) { _ = other.CloseWrite() }},
	} {
		for _, side := range []string{"client", "backend"} {
			t.Run(side+" "+tc.name, func(t *testing.T) {
				l, c, b := tunnelled(t)
				dies, other := c, b
				if side == "backend" {
					dies, other = b, c
				}
				tc.halves(dies, other)
				quiet(l)
				dies.die()
				_, err := io.ReadAll(other.r)
				if tc.name == "after its end of stream" {
					eventually(t, "seen without the other's help", func() bool { return l.counters().Tunnels == 0 })
					eventually(t, "the other's sending fails", func() bool { _, err = other.Write([]byte("x")); return err != nil })
				}
				if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("the other side sees %v, want a reset", err)
				}
				l.allGone()
				if n := l.counters().Errors; n.Aborted+n.Cut != 1 {
					t.Errorf("counters %+v", n)
				}
			})
		}
	}
}

func TestUpgradesThatAreNoTunnel(t *testing.T) {
	for _, tc := range []struct {
		name, request, answer string
		asked                 string // Upgrade that the backend gets
		status                int
		keeps                 bool
	}{
		{"declined", upgrade, okAnswer, "websocket", 200, true},
		{"not asked for", get, switched, "", 502, true},
		{"other protocol", upgrade, strings.ReplaceAll(switched, "websocket", "chat"), "websocket", 502, true},
		{"no protocol", upgrade, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", "websocket", 502, true},
		{"from HTTP/1.0", upgrade, strings.Replace(switched, "HTTP/1.1", "HTTP/1.0", 1), "websocket", 502, true},
		{"h2c", strings.Replace(upgrade, "websocket", "h2c", 1), okAnswer, "", 200, true},
		{"h2c among others", strings.Replace(upgrade, "websocket", "websocket, h2c", 1), switched, "", 502, true},
		{"two lines", strings.Replace(upgrade, "Upgrade: websocket", "Upgrade: a\r\nUpgrade: b", 1), okAnswer, "", 200, true},
		{"to HTTP/1.0", strings.Replace(upgrade, "HTTP/1.1", "HTTP/1.0", 1), switched, "", 502, false},
		{"before the body", "POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhell", switched, "websocket", 502, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := make(chan string, 1)
			l := newBed(t, one(rawBackend(t, "s1", func(n int, c *rawConn) {
				r, err := c.request()
				if err != nil {
					return
				}
				if n == 0 {
					asked <- r.Header.Get("Upgrade")
				}
				c.say(tc.answer)
				_, _ = io.Copy(io.Discard, c.r)
			})), longChecks)
			c := l.dial()
			c.say(tc.request)
			resp, _ := c.answer(t, "GET")
			if got := <-asked; resp.StatusCode != tc.status || got != tc.asked || resp.Close == tc.keeps {
				t.Errorf("status %d, close %v, backend was asked for %q", resp.StatusCode, resp.Close, got)
			}
			if n := l.counters().Tunnels; n != 0 {
				t.Errorf("%d tunnels", n)
			}
		})
	}
}

// What stands behind an upgrade that is declined is the next request, and was
// not sent before the backend had answered.
func TestBytesBehindADeclinedUpgradeAreTheNextRequest(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		for {
			r, err := c.request()
			if err != nil {
				return
			}
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (r.URL.Path + "     ")[:5])
		}
	})), longChecks)
	c := l.dial()
	c.say(upgrade + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, want := range []string{"/chat", "/next"} {
		if _, body := c.answer(t, "GET"); body != want {
			t.Errorf("body %q, want %q", body, want)
		}
	}
}

func TestUpgradeBehindABody(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		r, err := c.request()
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		c.say(strings.ReplaceAll(switched, "websocket", "tcp"))
		_, _ = io.Copy(c, c.r)
	})), longChecks)
	for _, body := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		c := l.dial()
		c.say("POST /exec HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tcp\r\n" + body)
		switchesTo(t, c, "tcp")
		c.say("ls")
		hears(t, c, "ls")
		must(t, c.CloseWrite())
		c.ended(t)
	}
}

func TestTunnelsOutliveEveryTimeoutButTheirOwn(t *testing.T) {
	l, c, b := tunnelled(t, shortTimeouts, func(_ *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		f.Timeouts.Tunnel = time.Second
		p.Timeouts.Server, p.Timeouts.Idle = 50*time.Millisecond, 50*time.Millisecond
	})
	l.Drain()
	time.Sleep(300 * time.Millisecond)
	c.say("ping")
	hears(t, b, "ping")
	must(t, c.CloseWrite())
	must(t, b.SetReadDeadline(time.Now().Add(10*time.Second)))
	b.ended(t)
	began := time.Now()
	c.ended(t)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("closed after %v without a byte, want a second", took)
	}
	l.allGone()
}

func TestTunnelHoldsLittleOfWhatIsNotTaken(t *testing.T) {
	for _, side := range []string{"client", "backend"} {
		t.Run(side, func(t *testing.T) {
			l, writer, reader := tunnelled(t)
			if side == "backend" {
				writer, reader = reader, writer
			}
			must(t, writer.SetWriteBuffer(64<<10))
			var sent int
			block := bytes.Repeat([]byte("x"), 64<<10)
			for {
				must(t, writer.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
				n, err := writer.Write(block)
				if sent += n; err != nil {
					if nerr := net.Error(nil); !errors.As(err, &nerr) || !nerr.Timeout() {
						t.Fatal(err)
					}
					break
				}
				if sent > 100<<20 {
					t.Fatal("a tunnel takes all that its reader does not")
				}
			}
			_ = writer.CloseWrite()
			if n, err := io.Copy(io.Discard, reader.r); n != int64(sent) || err != nil {
				t.Errorf("%d of %d bytes arrived, %v", n, sent, err)
			}
			_ = reader.CloseWrite()
			l.allGone()
		})
	}
}
