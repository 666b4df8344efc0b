package lbcore_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// longChecks keeps active checks and passive ones from taking backends down.
func longChecks(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
	p.Check.Interval, p.Check.Fall = time.Hour, 100
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// good answers every request with "ok" and counts them.
func good(t *testing.T, id string, served *atomic.Int32) lbcore.BackendConfig {
	return rawBackend(t, id, func(_ int, c *rawConn) {
		for {
			r, err := c.request()
			if err != nil {
				return
			}
			if r.ContentLength > 0 {
				_, _ = c.r.Discard(int(r.ContentLength))
			}
			served.Add(1)
			c.say(okAnswer)
		}
	})
}

func post(n int) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
}

func TestRefusedConnectionIsRetriedElsewhereWhateverTheMethod(t *testing.T) {
	var served atomic.Int32
	bad, stop := stoppable(t, "bad")
	l := newBed(t, []lbcore.BackendConfig{bad, good(t, "good", &served)}, longChecks)
	stop()
	c := l.dial()
	for i, r := range []string{get, post(0), post(5), post(60_000), "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"} {
		for range 4 {
			c.say(r)
			if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 || body != "ok" {
				t.Fatalf("request %d: status %d, body %q", i, resp.StatusCode, body)
			}
		}
	}
	if served.Load() != 20 {
		t.Errorf("%d served, want 20", served.Load())
	}
	if n := l.counters(); n.Retries == 0 {
		t.Error("no retry counted")
	}
}

func TestRefusedEverywhereIs502(t *testing.T) {
	var set []lbcore.BackendConfig
	var stops []func()
	for i := range 3 {
		b, stop := stoppable(t, fmt.Sprint(i))
		set, stops = append(set, b), append(stops, stop)
	}
	l := newBed(t, set, longChecks)
	for _, stop := range stops {
		stop()
	}
	c := l.dial()
	c.say(post(5))
	if resp, _ := c.answer(t, "POST"); resp.StatusCode != 502 {
		t.Fatalf("status %d, want 502", resp.StatusCode)
	}
	if n := l.counters(); n.Retries != 2 {
		t.Errorf("%d retries, want 2", n.Retries)
	}
}

// A backend may die at each of these moments; what follows depends on whether
// the request may be repeated.
func TestBackendThatDies(t *testing.T) {
	afterHead := func(kill func(*rawConn)) func(int, *rawConn) {
		return func(_ int, c *rawConn) {
			if _, err := c.request(); err == nil {
				kill(c)
			}
		}
	}
	first := func(kill func(*rawConn)) func(int, *rawConn) {
		return func(_ int, c *rawConn) {
			if _, err := c.request(); err != nil {
				return
			}
			c.say(okAnswer)
			if _, err := c.request(); err == nil {
				kill(c)
			}
		}
	}
	shut := func(c *rawConn) { c.Close() }
	die := func(c *rawConn) { c.die() }
	for _, tc := range []struct {
		name    string
		backend func(int, *rawConn)
		request string
		warm    int // requests that succeed first
		want    int
	}{
		{"closes before answering GET", afterHead(shut), get, 0, 200},
		{"resets before answering GET", afterHead(die), get, 0, 200},
		{"closes before answering HEAD", afterHead(shut), strings.Replace(get, "GET", "HEAD", 1), 0, 200},
		{"closes before answering POST", afterHead(shut), post(0), 0, 502},
		{"resets before answering POST", afterHead(die), post(5), 0, 502},
		{"closes before answering PUT with body", afterHead(shut), strings.Replace(post(5), "POST", "PUT", 1), 0, 502},
		{"closes before answering DELETE", afterHead(shut), strings.Replace(get, "GET", "DELETE", 1), 0, 200},
		{"closes in the head", afterHead(func(c *rawConn) { c.say("HTTP/1.1 2") }), get, 0, 502},
		{"resets on a kept connection, GET", first(die), get, 2, 200},
		{"closes on a kept connection, POST", first(shut), post(0), 2, 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var served atomic.Int32
			l := newBed(t, []lbcore.BackendConfig{rawBackend(t, "bad", tc.backend), good(t, "good", &served)},
				longChecks, oneLoop)
			method, _, _ := strings.Cut(tc.request, " ")
			c := l.dial()
			for range tc.warm {
				c.say(get)
				if resp, _ := c.answer(t, "GET"); resp.StatusCode != 200 {
					t.Fatalf("warming up: status %d", resp.StatusCode)
				}
			}
			c.say(tc.request)
			if resp, _ := c.answer(t, method); resp.StatusCode != tc.want {
				t.Fatalf("status %d, want %d", resp.StatusCode, tc.want)
			}
			eventually(t, "nothing in flight", func() bool {
				for _, b := range l.poolState().Backends {
					if b.Counters.Current != 0 {
						return false
					}
				}
				return true
			})
		})
	}
}

func TestRequestThatKillsItsBackendIsRepeatedOnce(t *testing.T) {
	var kills atomic.Int32
	kill := func(_ int, c *rawConn) {
		if _, err := c.request(); err == nil {
			kills.Add(1)
			c.die()
		}
	}
	var set []lbcore.BackendConfig
	for i := range 5 {
		set = append(set, rawBackend(t, fmt.Sprint(i), kill))
	}
	l := newBed(t, set, longChecks)
	c := l.dial()
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 502 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if kills.Load() != 2 {
		t.Errorf("the request reached %d backends, want 2", kills.Load())
	}
}

// A server that closes its idle connections just when a request comes must not
// be seen by clients, even if it is the only backend.
func TestClosedKeptConnectionIsReplaced(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		if _, err := c.request(); err == nil {
			c.say(okAnswer) // and closes, although it has not said so
		}
	})), longChecks)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := l.dial()
			for i := range 200 {
				r := get
				if i%2 == 1 {
					r = "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"
				}
				c.say(r)
				resp, err := readAnswer(c)
				if err != nil || resp != 200 {
					t.Errorf("status %d, %v", resp, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSilentBackendTimesOutWith504(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		_, _ = c.request()
		_, _ = c.r.ReadByte()
	})), longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Server = 50 * time.Millisecond
	})
	c := l.dial()
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 504 {
		t.Fatalf("status %d, want 504", resp.StatusCode)
	}
	if n := l.counters(); n.Errors.Timeout != 1 || n.Retries != 0 {
		t.Errorf("counters %+v", n)
	}
}

func TestBackendThatStallsInItsAnswerIsCut(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		_, _ = c.request()
		c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
		_, _ = c.r.ReadByte()
	})), longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Server = 50 * time.Millisecond
	})
	c := l.dial()
	c.say(get)
	if got := c.ended(t); !strings.HasSuffix(got, "12345") {
		t.Fatalf("got %q", got)
	}
}

// A connection attempt that nobody answers (a full accept queue stands in for
// a host without power) costs the connect timeout, then another backend is
// asked.
func TestUnansweredConnectionIsRetriedElsewhere(t *testing.T) {
	var served atomic.Int32
	l := newBed(t, []lbcore.BackendConfig{mute(t, "mute"), good(t, "good", &served)}, longChecks,
		func(c *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
			c.Loops = 1
			p.Timeouts.Connect = 50 * time.Millisecond
			p.Check.Checker = alwaysWell{}
		})
	c := l.dial()
	for range 4 {
		c.say(post(5))
		if resp, _ := c.answer(t, "POST"); resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	if n := l.poolState().Backends[0].Counters; n.Errors.Connect != 2 {
		t.Errorf("%d connection errors, want 2", n.Errors.Connect)
	}
}

func TestWaitingRequestsLeaveABackendThatIsDeclaredDown(t *testing.T) {
	var served atomic.Int32
	frozen := rawBackend(t, "frozen", func(_ int, c *rawConn) {
		_, _ = c.request()
		_, _ = c.r.ReadByte()
	})
	well := &switchable{}
	l := newBed(t, []lbcore.BackendConfig{frozen, good(t, "good", &served)},
		func(c *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
			p.Check.Checker, p.Check.Fall = well, 1
		})
	var clients []*rawConn
	for range 10 {
		c := l.dial()
		c.say(get)
		clients = append(clients, c)
	}
	poster := l.dial()
	eventually(t, "some wait", func() bool { return l.poolState().Backends[0].Counters.Current > 0 })
	well.down.Store(&frozen.Addr)
	for _, c := range clients {
		if resp, _ := c.answer(t, "GET"); resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	poster.say(post(5))
	if resp, _ := poster.answer(t, "POST"); resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if served.Load() != 11 {
		t.Errorf("%d served by the good one, want 11", served.Load())
	}
}

// An app that is about to stop may fail its checks and still answer what it
// has.
func TestWaitingRequestsStayWithABackendThatSaysItIsNotWell(t *testing.T) {
	var unwell atomic.Int32
	came, release := make(chan int32, 2), make(chan bool)
	app := func(number int32) lbcore.BackendConfig {
		return httpBackend(t, fmt.Sprint("s", number), func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/slow":
				came <- number
				<-release
			case unwell.Load() == number:
				w.WriteHeader(503)
			}
		})
	}
	l := newBed(t, []lbcore.BackendConfig{app(1), app(2)}, quickHTTPCheck, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Check.Timeout = 10 * time.Second // on a busy machine a slow answer would pass for silence
	})
	c := l.dial()
	c.say("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	unwell.Store(<-came)
	eventually(t, "it is down", func() bool { return l.poolState().Up == 1 })
	unwell.Store(0)
	eventually(t, "it is up", func() bool { return l.poolState().Up == 2 })
	close(release)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if len(came) != 0 || l.counters().Retries != 0 {
		t.Error("the request was sent again")
	}
}

// mute accepts no connection: its queue is full.
func mute(t *testing.T, id string) lbcore.BackendConfig {
	t.Helper()
	ln := listenBacklog(t, 0)
	for range 8 { // the queue holds one or two
		c, err := net.DialTimeout("tcp", ln.String(), 50*time.Millisecond)
		if err != nil {
			return backendAt(id, ln)
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the accept queue does not fill")
	return lbcore.BackendConfig{}
}
