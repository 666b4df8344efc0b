package lbcore_test

import (
	"bytes"
	"io"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// fixed answers each request on one connection without allocating.
func fixed(t testing.TB, id, answer string) lbcore.BackendConfig {
	return rawBackend(t, id, func(_ int, c *rawConn) {
		buf, end, out := make([]byte, 4096), []byte("\r\n\r\n"), []byte(answer)
		n := 0
		for {
			k, err := c.r.Read(buf[n:])
			if err != nil {
				return
			}
			if n += k; bytes.HasSuffix(buf[:n], end) {
				n = 0
				_, _ = c.Write(out)
			}
		}
	})
}

func TestRequestsInSteadyStateAllocateNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"length":  okAnswer,
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, []lbcore.BackendConfig{fixed(t, "s1", answer), fixed(t, "s2", answer)}, longChecks)
			if n := allocsOf(t, l, answer[len(answer)-5:]); n >= 500 {
				t.Errorf("%d allocations for 1000 requests", n)
			}
			l.fe.Sources, l.fe.Rules = allLimits()
			must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
			if n := allocsOf(t, l, answer[len(answer)-5:]); n >= 500 {
				t.Errorf("%d allocations for 1000 requests with limits", n)
			}
		})
	}
}

// allLimits are some of every kind, within which all stays.
func allLimits() (lbcore.SourceLimits, []route.Rule) {
	r := &route.Rate{Count: route.MaxRate, Per: time.Second, Burst: route.MaxRate}
	deny := make([]netip.Prefix, 1000)
	for i := range deny {
		deny[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	return lbcore.SourceLimits{Allow: networks("127.0.0.0/8", "::1/128"), Deny: deny, Rate: r, MaxConn: 1000},
		[]route.Rule{{Name: "own", Sources: networks("127.0.0.0/8"), Rate: r}}
}

// allocsOf counts the allocations of 1000 requests: one in each makes 1000, and on a busy machine
// the runtime adds some. Each answer ends with end.
func allocsOf(t *testing.T, l *bed, end string) uint64 {
	t.Helper()
	c := l.dial()
	must(t, c.SetDeadline(time.Now().Add(5*time.Minute)))
	request, buf := []byte(get), make([]byte, 4096)
	ask := func() { askOnce(t, c, request, buf, []byte(end)) }
	for range 500 {
		ask()
	}
	best := uint64(1 << 62) // of several rounds: other goroutines allocate now and then
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 1000 {
			ask()
		}
		runtime.ReadMemStats(&after)
		best = min(best, after.Mallocs-before.Mallocs)
	}
	return best
}

func TestIdleConnectionsAreSmall(t *testing.T) {
	if n := lbcore.IdleConnSize; n > 112 {
		t.Errorf("an idle client connection holds %d bytes", n)
	}
}

// The end of the stream goes in the packet of the last answer: the client
// receives SYN, an acknowledgement and that one.
func TestTheLastAnswerTakesTheEndOfTheStreamWithIt(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	least := uint32(1 << 30)
	for range 10 {
		c := l.dial()
		c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if _, err := io.ReadAll(c.r); err != nil {
			t.Fatal(err)
		}
		raw, err := c.SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			must(t, err)
			least = min(least, info.Segs_in)
		}))
	}
	if least > 3 {
		t.Errorf("the client received %d packets, want 3", least)
	}
}

// The backend closes its kept connection and a POST comes in the same round,
// the POST first: the POST must not be sent into the closing connection.
func TestPOSTIsNotSentIntoAClosingConnection(t *testing.T) {
	closing := make(chan bool)
	l := newBed(t, one(rawBackend(t, "s1", func(n int, c *rawConn) {
		_, _ = c.request()
		c.say(okAnswer)
		if n == 0 {
			<-closing
			return
		}
		_, _ = io.Copy(io.Discard, c.r)
	})), longChecks, oneLoop)
	c := l.dial()
	c.say(get)
	c.answer(t, "GET")
	release := lbcore.HoldLoops(l.Proxy)
	c.say(post(5))
	time.Sleep(20 * time.Millisecond) // for the POST to be queued first; a different order proves nothing but passes
	close(closing)
	time.Sleep(20 * time.Millisecond)
	release()
	if resp, _ := c.answer(t, "POST"); resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
}
