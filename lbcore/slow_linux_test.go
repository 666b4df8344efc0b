package lbcore_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func shortTimeouts(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
	const d = 50 * time.Millisecond
	f.Timeouts = lbcore.FrontendTimeouts{Header: d, Idle: d, Client: d, HalfClose: d}
}

func TestSlowHeadIs408AndSilenceIsSilentlyClosed(t *testing.T) {
	t.Parallel()
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), shortTimeouts)
	for _, tc := range []struct{ name, say, want string }{
		{"nothing", "", ""},
		{"half a head", "GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "},
		{"idle after an answer", get, "HTTP/1.1 200 "},
		{"half a head after an answer", get + "GET /", "HTTP/1.1 408 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := l.dial()
			c.say(tc.say)
			got := c.ended(t)
			if last := got[max(strings.LastIndex(got, "HTTP/1.1 "), 0):]; !strings.HasPrefix(last, tc.want) || tc.want == "" && got != "" {
				t.Fatalf("got %q, want the last answer to begin with %q", got, tc.want)
			}
		})
	}
}

func TestAByteNowAndThenDoesNotStretchTheHeadersTime(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), shortTimeouts)
	c := l.dial()
	stop := make(chan bool)
	defer close(stop)
	go func() {
		c.say("GET / HTTP/1.1\r\nHost: x\r\nA: ")
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				c.say("x")
			}
		}
	}()
	resp, err := http.ReadResponse(c.r, nil)
	must(t, err)
	if resp.StatusCode != 408 {
		t.Fatalf("status %d", resp.StatusCode)
	}
}

// A byte now and then renews no time: the slowloris of bodies.
func TestDribbledBodyIs408(t *testing.T) {
	for _, tc := range []struct{ name, fields, piece string }{
		{"with a length", "Content-Length: 100000", "x"},
		{"chunked", "Transfer-Encoding: chunked", "1\r\nx\r\n"},
		{"large enough to splice", "Content-Length: 100000000", "x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newBed(t, one(httpBackend(t, "s1", mirror)), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
				f.Limits.MinRate, f.Timeouts.Client = 10_000, 100*time.Millisecond
			})
			c := l.dial()
			c.say("POST / HTTP/1.1\r\nHost: x\r\n" + tc.fields + "\r\n\r\n")
			stop := make(chan bool)
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						c.say(tc.piece)
					}
				}
			}()
			resp, err := http.ReadResponse(c.r, nil)
			must(t, err)
			if resp.StatusCode != 408 {
				t.Fatalf("status %d", resp.StatusCode)
			}
		})
	}
}

// The backend's time is not the client's.
func TestABodyThatTheBackendTakesSlowlyGoesThrough(t *testing.T) {
	t.Parallel()
	const size = 64 << 20 // more than the kernel's buffers take
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * time.Second)
		if n, err := io.Copy(io.Discard, r.Body); n == size && err == nil {
			_, _ = io.WriteString(w, "all")
		}
	})), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Limits.MinRate, f.Timeouts.Client = 1<<10, time.Second
	})
	c, body := l.dial(), make([]byte, size, size+7) // made before the proxy waits for it
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(size, 16) + "\r\n")
	go func() { _, _ = c.Write(append(body, "\r\n0\r\n\r\n"...)) }()
	if resp, body := c.answer(t, "POST"); resp.StatusCode != 200 || body != "all" {
		t.Fatalf("%s: %q", resp.Status, body)
	}
}

func TestStalledBodyIs408(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), shortTimeouts)
	c := l.dial()
	c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if got := c.ended(t); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Fatalf("got %q", got)
	}
	eventually(t, "no request at the backend", func() bool { return l.poolState().Backends[0].Counters.Current == 0 })
}

func TestClientThatReadsNothingIsCutOff(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", mirror)), shortTimeouts)
	c := l.dial()
	c.say("GET /?size=100000000&framing=length HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "cut off", func() bool { n := l.counters(); return n.Errors.Aborted == 1 && n.Current == 0 })
}

// Each wait is short, and all together are longer than any timeout.
func TestSlowButSteadyTransfersAreNotCut(t *testing.T) {
	const timeout, pieces, size = 300 * time.Millisecond, 40, 100
	body := strings.Repeat("x", size)
	var worst atomic.Int64
	steadily := func(send func()) {
		last := time.Now()
		for range pieces {
			send()
			time.Sleep(10 * time.Millisecond)
			worst.Store(max(worst.Load(), int64(time.Since(last))))
			last = time.Now()
		}
	}
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		steadily(func() { _, _ = io.WriteString(w, body); w.(http.Flusher).Flush() })
	})), longChecks, func(c *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		f.Timeouts.Client, p.Timeouts.Server = timeout, timeout
	})
	for range 20 {
		worst.Store(0)
		c := l.dial()
		c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(pieces*size) + "\r\n\r\n")
		steadily(func() { c.say(body) })
		resp, err := http.ReadResponse(c.r, nil)
		must(t, err)
		got, err := io.ReadAll(resp.Body)
		switch {
		case err == nil && resp.StatusCode == 200 && len(got) == pieces*size:
			return
		case time.Duration(worst.Load()) > timeout/2:
			t.Logf("the test itself paused for %v: once more", time.Duration(worst.Load()))
		default:
			t.Fatalf("%s, %d bytes, %v", resp.Status, len(got), err)
		}
	}
	t.Fatal("the machine is too busy to tell")
}

// The slowloris of readers: it takes a little now and then.
func TestAnAnswerThatIsTakenDropByDropIsCutOff(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", mirror)), longChecks, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Limits.MinRate, f.Timeouts.Client = 1<<20, 200*time.Millisecond
	})
	c := l.dial()
	must(t, c.SetReadBuffer(4096))
	c.say("GET /?size=100000000&framing=length HTTP/1.1\r\nHost: x\r\n\r\n")
	buf, cut := make([]byte, 1000), error(nil)
	for cut == nil {
		_, cut = c.Read(buf)
		time.Sleep(2 * time.Millisecond)
	}
	if !errors.Is(cut, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset: what the kernel has is not for a client that does not take it", cut)
	}
	if n := l.counters(); n.Errors.Aborted != 1 || n.Current != 0 {
		t.Errorf("%+v", n)
	}
}

// The slowloris of backends: it renews no time, either.
func TestAHeadThatTheBackendSendsByteByByteIs504(t *testing.T) {
	var pieces atomic.Int32
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		_, _ = c.request()
		c.say("HTTP/1.1 200 OK\r\nA: ")
		for {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			pieces.Add(1)
			time.Sleep(5 * time.Millisecond)
		}
	})), longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Server = 100 * time.Millisecond
	})
	c := l.dial()
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 504 || pieces.Load() > 200 {
		t.Errorf("status %d after %d bytes", resp.StatusCode, pieces.Load())
	}
}

// Each phase in which a client can dawdle: a byte now and then is not enough
// where a deadline is for the whole, and one byte must come in time elsewhere.
func TestSlowlorisInTheFramingOfABody(t *testing.T) {
	const start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, said := range map[string]string{
		"chunk size": start + "5", "extension": start + "5;a=", "chunk": start + "5\r\nhel", "its end": start + "5\r\nhello",
		"next size": start + "5\r\nhello\r\n", "last chunk": start + "0\r\n", "trailer": start + "0\r\nA: ", "last line": start + "0\r\nA: b\r\n\r",
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), shortTimeouts)
			c := l.dial()
			c.say(said)
			if got := c.ended(t); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
				t.Errorf("got %q", got)
			}
			eventually(t, "the backend is free", func() bool { return l.poolState().Backends[0].Counters.Current == 0 })
		})
	}
}
