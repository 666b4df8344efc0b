package lbcore_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestIdleBackendConnectionsAreClosedInTime(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Idle = 50 * time.Millisecond
	})
	c := l.dial()
	c.say(get)
	c.answer(t, "GET")
	eventually(t, "closed", func() bool { return l.poolState().Backends[0].Counters.Conns == 0 })
	c.say(get)
	c.answer(t, "GET")
}

func TestProgressIsToldIdleOrNot(t *testing.T) {
	words := make([]uint64, 2)
	newBed(t, nil, func(c *lbcore.Config, _ *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { c.Progress = words })
	for range 5 {
		a, b := atomic.LoadUint64(&words[0]), atomic.LoadUint64(&words[1])
		eventually(t, "both loops move", func() bool {
			return atomic.LoadUint64(&words[0]) > a && atomic.LoadUint64(&words[1]) > b
		})
	}
}

func TestConnectionsBeyondTheBoundWait(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), func(c *lbcore.Config, _ *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		c.Loops, c.MaxConns = 1, 2
	})
	a, b, waiting := l.dial(), l.dial(), l.dial()
	for _, c := range []*rawConn{a, b} {
		c.say(get)
		c.answer(t, "GET")
	}
	waiting.say(get)
	if n := l.counters(); n.Current != 2 {
		t.Fatalf("%d connections accepted, want 2", n.Current)
	}
	a.Close()
	if _, body := waiting.answer(t, "GET"); body != "s1" {
		t.Fatalf("body %q", body)
	}
}

func TestRemovedFrontendServesWhatItHasAndAcceptsNoMore(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	kept := l.dial()
	kept.say(get)
	kept.answer(t, "GET")
	must(t, l.SetFrontends(nil))
	eventually(t, "port closed", func() bool {
		resp, err := http.Get(l.url("/"))
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	kept.say(get)
	if resp, body := kept.answer(t, "GET"); !resp.Close || body != "s1" {
		t.Fatalf("close %v, body %q", resp.Close, body)
	}
	kept.ended(t)
}

func TestRunEndsWithEverythingClosed(t *testing.T) {
	before := descriptors(t)
	t.Run("lab", func(t *testing.T) {
		l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
		c := l.dial()
		c.say(get)
		c.answer(t, "GET")
		l.stop()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open")
		}
		if err := l.SetFrontends(nil); err == nil {
			t.Error("SetFrontends works on a proxy that has ended")
		}
		if err := l.Run(t.Context()); err == nil {
			t.Error("Run works twice")
		}
	})
	eventually(t, "descriptors given back", func() bool { return descriptors(t) <= before })
}

// A connection whose only request waits for a backend is in no epoll yet.
func TestRunEndsInTheMiddleOfAConnectionsOnlyRequest(t *testing.T) {
	came, done := make(chan bool), make(chan bool)
	defer close(done)
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		if _, err := c.request(); err == nil {
			close(came)
			<-done
		}
	})))
	c := l.dial()
	c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	<-came
	l.stop()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("an answer came")
	} else if nerr := net.Error(nil); errors.As(err, &nerr) && nerr.Timeout() {
		t.Error("the connection is still open")
	}
}

func TestConnectionsWaitWhileThereAreNoDescriptors(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks)
	release := lbcore.HoldLoops(l.Proxy)
	var waiting []*rawConn
	for range 5 {
		c := l.dial()
		c.say(get)
		waiting = append(waiting, c)
	}
	giveBack := takeAllDescriptors(t)
	release()
	before := l.counters().Accepted
	time.Sleep(50 * time.Millisecond) // for the loops to try in vain; too short proves nothing but passes
	if n := l.counters().Accepted; n != before {
		t.Errorf("%d connections were accepted without descriptors", n-before)
	}
	giveBack()
	for _, c := range waiting {
		if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 || body != "s1" {
			t.Errorf("status %d, body %q", resp.StatusCode, body)
		}
	}
}

// takeAllDescriptors leaves the process none to open.
func takeAllDescriptors(t *testing.T) (giveBack func()) {
	t.Helper()
	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	low := syscall.Rlimit{Cur: uint64(descriptors(t) + 20), Max: old.Max}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	var taken []int
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	giveBack = sync.OnceFunc(func() {
		for _, fd := range taken {
			syscall.Close(fd)
		}
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	})
	t.Cleanup(giveBack)
	return giveBack
}

// A client that is refused, or told that this was its last answer, cannot hold
// its connection by sending on.
func TestRefusedClientThatSendsForEverIsCutOff(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	c := l.dial()
	c.say("nonsense\r\n\r\n")
	block := make([]byte, 64<<10)
	sent := 0
	for {
		n, err := c.Write(block)
		if sent += n; err != nil {
			break
		}
		if sent > 64<<20 {
			t.Fatal("a refused client may send all it likes")
		}
	}
	eventually(t, "gone", func() bool { return l.Connections() == lbcore.ConnCounts{} })
}

// Requests sent ahead by a client that takes no answer are not read without
// bound, and it is cut off.
func TestPipeliningWithoutReadingIsBounded(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", mirror)), longChecks, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Timeouts.Client = 500 * time.Millisecond
	})
	c := l.dial()
	must(t, c.SetReadBuffer(4096))
	block := strings.Repeat("GET /?size=100000&framing=length HTTP/1.1\r\nHost: x\r\n\r\n", 1000)
	for { // until the proxy cuts it off
		if _, err := io.WriteString(c, block); err != nil {
			break
		}
	}
	n := l.counters()
	if n.BytesIn > 1<<20 || n.Errors.Aborted != 1 {
		t.Errorf("%d bytes were read, %d aborted", n.BytesIn, n.Errors.Aborted)
	}
	eventually(t, "gone", func() bool { return l.Connections() == lbcore.ConnCounts{} })
}
