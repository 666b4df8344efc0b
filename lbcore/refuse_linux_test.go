package lbcore_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestRefusedRequestsGetTheirStatusAndAClosedConnection(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Limits = lbcore.Limits{Head: 4096, Body: 1000}
	})
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"no request line", "hello\r\n\r\n", 400},
		{"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"length and coding", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"bad chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"long body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
		{"long chunked body", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n", 413},
		{"long line", "GET /" + strings.Repeat("x", 3000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
		{"long head", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("x", 5000) + "\r\n\r\n", 431},
		{"unknown coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := l.dial()
			c.say(get)
			c.answer(t, "GET") // a good one first
			c.say(tc.request)
			resp, _ := c.answer(t, "GET")
			if resp.StatusCode != tc.status || !resp.Close {
				t.Fatalf("status %d, close %v: want %d and close", resp.StatusCode, resp.Close, tc.status)
			}
			c.ended(t)
			c.Close()
		})
	}
	if n := l.counters(); n.Errors.BadRequest != 9 || n.Errors.LargeBody != 2 {
		t.Errorf("%d bad requests and %d large bodies counted, want 9 and 2", n.Errors.BadRequest, n.Errors.LargeBody)
	}
	eventually(t, "connections end", func() bool { return l.counters().Current == 0 })
}

func TestRefusalIsNotLostToAReset(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Limits.Body = 1000
	})
	for range 10 {
		c := l.dial()
		go func() { // sends all of its body before it reads
			c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + strings.Repeat("x", 4_000_000))
			_ = c.CloseWrite()
		}()
		time.Sleep(5 * time.Millisecond) // the answer comes before most of the body has left
		if got := c.ended(t); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Fatalf("got %q", got)
		}
	}
}

func TestNoBackendIs503(t *testing.T) {
	dead, stop := stoppable(t, "s1")
	stop()
	for name, backends := range map[string][]lbcore.BackendConfig{
		"empty pool": nil,
		"drained":    {withDrain(httpBackend(t, "s1", hello("s1")))},
		"down":       {dead},
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, nil)
			must(t, l.Pool("web").Set(backends))
			c := l.dial()
			for range 2 {
				c.say(get)
				if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 || resp.Close {
					t.Fatalf("status %d, close %v: want 503 on a connection that stays", resp.StatusCode, resp.Close)
				}
			}
			if n := l.counters(); n.Errors.NoBackend != 2 || n.Responses[5] != 2 {
				t.Errorf("counters %+v", n)
			}
		})
	}
}

func TestFrontendWithoutPoolIs503(t *testing.T) {
	l := newBed(t, nil)
	must(t, l.SetPools(nil))
	c := l.dial()
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 {
		t.Fatalf("status %d", resp.StatusCode)
	}
}

func withDrain(b lbcore.BackendConfig) lbcore.BackendConfig {
	b.Drain = true
	return b
}

func TestBadAnswersAre502(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":         "",
		"no HTTP":         "hello\r\n\r\n",
		"half a head":     "HTTP/1.1 200 OK\r\nContent-Le",
		"two lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"length, coding":  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"switching":       "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"interim, no end": "HTTP/1.0 200",
		"long head":       "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 70_000) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
				if _, err := c.request(); err == nil {
					c.say(answer)
				}
			})))
			c := l.dial()
			for range 2 {
				c.say(get)
				if resp, _ := c.answer(t, "GET"); resp.StatusCode != 502 || resp.Close {
					t.Fatalf("status %d, close %v: want 502 on a connection that stays", resp.StatusCode, resp.Close)
				}
			}
			if n := l.counters(); n.Errors.BadGateway != 2 {
				t.Errorf("counters %+v", n)
			}
			if b := l.poolState().Backends[0]; b.LastError == "" || b.LastErrorAt.IsZero() {
				t.Error("the snapshot does not say what went wrong")
			} else {
				t.Log(b.LastError)
			}
		})
	}
}

func TestInterimAnswersAreBounded(t *testing.T) {
	for n, want := range map[int]int{100: 200, 101: 502} {
		l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
			if _, err := c.request(); err == nil {
				c.say(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", n) + okAnswer)
			}
		})), longChecks)
		c := l.dial()
		for range 2 { // the count begins anew with each request
			c.say(get)
			for range 100 {
				if resp, _ := c.answer(t, "GET"); resp.StatusCode != 102 {
					t.Fatalf("status %d", resp.StatusCode)
				}
			}
			if resp, _ := c.answer(t, "GET"); resp.StatusCode != want {
				t.Errorf("after %d interim answers: status %d, want %d", n, resp.StatusCode, want)
			}
		}
	}
}

func TestCutAnswersAreSeenAsCut(t *testing.T) {
	for name, answer := range map[string]string{
		"length":    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
		"chunked":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345",
		"bad chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n",
	} {
		for _, version := range []string{"1.1", "1.0"} {
			t.Run(name+" "+version, func(t *testing.T) {
				l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
					if _, err := c.request(); err == nil {
						c.say(answer)
					}
				})))
				c := l.dial()
				fmt.Fprintf(c, "GET / HTTP/%s\r\nHost: x\r\n\r\n", version)
				got, err := io.ReadAll(c.r)
				if err == nil && version == "1.0" && name != "length" {
					t.Errorf("a HTTP/1.0 client got an orderly end after %q", got)
				}
				if strings.HasSuffix(string(got), "0\r\n\r\n") {
					t.Errorf("got a whole answer: %q", got)
				}
				eventually(t, "cut counted", func() bool { return l.counters().Errors.Cut == 1 })
			})
		}
	}
}

// RFC 9112, 9.2 and 11.1: what nobody asked for is the answer to nobody's request. The end
// of a body that is spliced is met without a look at what follows.
func TestSurplusBytesSpoilTheBackendsConnection(t *testing.T) {
	for _, size := range []int{2, 32 << 10, 64<<10 - len("HTTP/1.1 200 OK\r\nContent-Length: 65497\r\n\r\n"), 300_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const surplus = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
			answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size) + strings.Repeat("x", size) + surplus)
			l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
				for {
					if _, err := c.request(); err != nil {
						return
					}
					_, _ = c.Write(answer)
				}
			})), longChecks)
			c := l.dial()
			for range 5 {
				c.say(get)
				if _, body := c.answer(t, "GET"); len(body) != size || strings.Contains(body, "poison") {
					t.Fatalf("a body of %d bytes", len(body))
				}
			}
			if n := l.poolState().Backends[0].Counters; n.Reused != 0 {
				t.Errorf("reused %d times", n.Reused)
			}
		})
	}
}
