package lbcore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestDrainingClosesEachConnectionBehindItsNextAnswer(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		for {
			if _, err := c.request(); err != nil {
				return
			}
			c.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okAnswer)
		}
	})))
	kept := l.dial()
	kept.say(get)
	kept.answer(t, "GET")
	if resp, _ := kept.answer(t, "GET"); resp.Close {
		t.Fatal("closed before the drain")
	}
	l.Drain()
	for name, c := range map[string]*rawConn{"kept": kept, "new": l.dial()} {
		c.say(get)
		if resp, _ := c.answer(t, "GET"); resp.StatusCode != 103 || resp.Close {
			t.Errorf("%s: interim answer %d, close %v", name, resp.StatusCode, resp.Close)
		}
		if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 || body != "ok" || !resp.Close {
			t.Errorf("%s: status %d, body %q, close %v: want an answer that closes", name, resp.StatusCode, body, resp.Close)
		}
		c.ended(t)
		c.Close()
	}
	eventually(t, "no connection left", func() bool { return l.Connections() == lbcore.ConnCounts{} })
	l.Resume()
	c := l.dial()
	for range 2 {
		c.say(get)
		c.answer(t, "GET")
		if resp, _ := c.answer(t, "GET"); resp.Close {
			t.Error("closed after the drain")
		}
	}
}

func TestOurOwnAnswersCloseWhileDraining(t *testing.T) {
	l := newBed(t, nil)
	l.Drain()
	c := l.dial()
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
	c.ended(t)
}

// An idle connection outlives its idle timeout while draining, since closing it
// could meet its next request; a connection that never asked does not.
func TestDrainingNeverClosesAnIdleConnection(t *testing.T) {
	t.Parallel()
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), shortTimeouts)
	l.Drain()
	l.Resume()
	kept := l.dial()
	kept.say(get)
	kept.answer(t, "GET")
	l.Drain()
	mute := l.dial()
	mute.ended(t)
	time.Sleep(200 * time.Millisecond) // four idle timeouts; fewer prove less but pass
	kept.say(get)
	if resp, body := kept.answer(t, "GET"); !resp.Close || body != "s1" {
		t.Errorf("close %v, body %q", resp.Close, body)
	}
	kept.ended(t)

	other := l.dial()
	l.Resume()
	other.say(get)
	other.answer(t, "GET")
	other.ended(t) // by the idle timeout, which counts again
}

func TestRequestsSentAheadAreAllAnsweredWhileDraining(t *testing.T) {
	const n = 100
	came, release := make(chan bool), make(chan bool)
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/0" {
			close(came)
			<-release
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})))
	c := l.dial()
	c.say("GET /0 HTTP/1.1\r\nHost: x\r\n\r\n")
	<-came
	l.Drain()
	var rest strings.Builder
	for i := 1; i < n; i++ {
		fmt.Fprintf(&rest, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	}
	c.say(rest.String()) // on the loopback this is in the proxy's queue now
	close(release)
	for i := range n {
		resp, body := c.answer(t, "GET")
		if body != fmt.Sprintf("/%d", i) || resp.Close != (i == n-1) {
			t.Fatalf("answer %d: %q, close %v", i, body, resp.Close)
		}
	}
	c.ended(t)
}

func TestRequestsInFlightRunOnWhileDraining(t *testing.T) {
	t.Parallel()
	came, release := make(chan bool), make(chan bool)
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun ")
		w.(http.Flusher).Flush()
		came <- true
		<-release
		_, _ = io.WriteString(w, "ended")
	})))
	c, idle := l.dial(), l.dial()
	c.say(get)
	<-came
	eventually(t, "both are counted", func() bool { return l.Connections() == lbcore.ConnCounts{Total: 2, InFlight: 1} })
	l.Drain()
	close(release)
	if _, body := c.answer(t, "GET"); body != "begun ended" {
		t.Errorf("body %q", body)
	}
	eventually(t, "none is in flight", func() bool { return l.Connections().InFlight == 0 })
	idle.Close()
}

func TestHalfAHeadCountsAsInFlight(t *testing.T) {
	l := newBed(t, nil)
	c := l.dial()
	c.say("GET / HT")
	eventually(t, "in flight", func() bool { return l.Connections() == lbcore.ConnCounts{Total: 1, InFlight: 1} })
	c.Close()
	eventually(t, "gone", func() bool { return l.Connections() == lbcore.ConnCounts{} })
}

// Two proxies have the same sockets. The one that stopped accepting takes no
// connection, and closes none by closing its own descriptors.
func TestStopAcceptingLeavesTheQueueToAnother(t *testing.T) {
	b := httpBackend(t, "s1", hello("old"))
	old := newBed(t, one(b))
	shared := make([]int, len(old.fds))
	for i, fd := range old.fds {
		var err error
		shared[i], err = syscall.Dup(fd)
		must(t, err)
	}
	kept := old.dial()
	kept.say(get)
	kept.answer(t, "GET")
	old.StopAccepting()
	quiet(old)
	var waiting []*rawConn
	for range 20 {
		c := old.dial()
		c.say(get)
		waiting = append(waiting, c)
	}
	kept.say(get)
	kept.answer(t, "GET")
	must(t, old.SetFrontends(nil))
	quiet(old)
	if n := old.Connections().Total; n != 1 {
		t.Errorf("%d connections, want the old one alone", n)
	}

	next, err := lbcore.New(lbcore.Config{Loops: 2})
	must(t, err)
	must(t, next.SetPools([]lbcore.PoolConfig{old.pool}))
	fe := old.fe
	fe.Listeners = shared
	must(t, next.SetFrontends([]lbcore.FrontendConfig{fe}))
	must(t, next.Pool("web").Set(one(httpBackend(t, "s2", hello("new")))))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- next.Run(ctx) }()
	eventually(t, "backend up", func() bool { return next.Snapshot().Pools[0].Up == 1 })
	for _, c := range waiting {
		if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 && resp.StatusCode != 503 || resp.StatusCode == 200 && body != "new" {
			t.Errorf("status %d, body %q", resp.StatusCode, body)
		}
	}
	cancel()
	must(t, <-ended)
}

func TestStartAcceptingTakesWhatHasWaited(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	l.StopAccepting()
	quiet(l)
	c := l.dial()
	c.say(get)
	quiet(l)
	if n := l.Connections().Total; n != 0 {
		t.Errorf("%d connections accepted", n)
	}
	l.StartAccepting()
	if _, body := c.answer(t, "GET"); body != "s1" {
		t.Errorf("body %q", body)
	}
}

// quiet waits until all loops have done what they were told, and then looked at
// their listeners once more.
func quiet(l *bed) {
	for range 3 {
		lbcore.HoldLoops(l.Proxy)()
	}
}
