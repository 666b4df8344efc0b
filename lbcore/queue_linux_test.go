package lbcore_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// gate is a backend that says how many requests it has, and answers when it is let.
type gate struct {
	lbcore.BackendConfig
	now, most atomic.Int64
	open      chan bool
}

func newGate(t *testing.T, id string) *gate {
	g := &gate{open: make(chan bool)}
	g.BackendConfig = httpBackend(t, id, func(w http.ResponseWriter, r *http.Request) {
		n := g.now.Add(1)
		defer g.now.Add(-1)
		for m := g.most.Load(); n > m && !g.most.CompareAndSwap(m, n); m = g.most.Load() {
		}
		select {
		case <-g.open:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, id+r.URL.Path)
	})
	t.Cleanup(func() { close(g.open) })
	return g
}

func (g *gate) has(t *testing.T, n int64) {
	t.Helper()
	eventually(t, fmt.Sprint(g.ID, " has ", n), func() bool { return g.now.Load() == n })
}

func maxconn(n, queue int, timeout time.Duration) bedOption {
	return func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.MaxConn, p.Queue, p.QueueTimeout = n, &queue, timeout
		p.Check.Checker = alwaysWell{}
	}
}

// send asks for a path on a connection of its own.
func (l *bed) send(path string) *rawConn {
	c := l.dial()
	c.say("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
	return c
}

func (l *bed) waitWaiting(n int64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprint(n, " wait"), func() bool { return l.poolState().Waiting == n })
}

func TestRequestsBeyondMaxConnWaitInTheirOrder(t *testing.T) {
	g := newGate(t, "s1")
	l := newBed(t, []lbcore.BackendConfig{g.BackendConfig}, oneLoop, maxconn(1, 2, time.Minute))
	first := l.send("/1")
	g.has(t, 1)
	second := l.send("/2")
	l.waitWaiting(1)
	third := l.send("/3")
	l.waitWaiting(2)
	resp, _ := l.send("/4").answer(t, "GET")
	if resp.StatusCode != 503 {
		t.Errorf("the queue was full: %s", resp.Status)
	}
	for i, c := range []*rawConn{first, second, third} {
		g.open <- true
		if _, body := c.answer(t, "GET"); body != fmt.Sprint("s1/", i+1) {
			t.Errorf("answer %d: %q", i+1, body)
		}
	}
	s := l.poolState()
	if n := s.Counters; n.Queued != 2 || n.QueueFull != 1 || n.QueueTimeout != 0 || s.Waiting != 0 {
		t.Errorf("counted %+v", n)
	}
	if n := l.counters().Errors; n.QueueFull != 1 || n.NoBackend != 0 {
		t.Errorf("counted %+v", n)
	}
	if g.most.Load() != 1 {
		t.Errorf("the backend had %d requests at once", g.most.Load())
	}
}

func TestWhoHasWaitedTooLongIsTold(t *testing.T) {
	g := newGate(t, "s1")
	l := newBed(t, []lbcore.BackendConfig{g.BackendConfig}, maxconn(1, 10, 50*time.Millisecond))
	l.send("/1")
	g.has(t, 1)
	c := l.send("/2")
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 {
		t.Errorf("answered %s", resp.Status)
	}
	if n := l.counters().Errors; n.QueueTime != 1 || n.QueueFull != 0 {
		t.Errorf("counted %+v", n)
	}
	g.open <- true
	g.has(t, 0)
	c.say("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n") // the connection was kept
	g.has(t, 1)
	g.open <- true
	if _, body := c.answer(t, "GET"); body != "s1/3" {
		t.Errorf("then %q", body)
	}
}

func TestWhoGoesAwayLeavesTheQueue(t *testing.T) {
	g := newGate(t, "s1")
	l := newBed(t, []lbcore.BackendConfig{g.BackendConfig}, maxconn(1, 10, time.Minute))
	first := l.send("/1")
	g.has(t, 1)
	second := l.send("/2")
	l.waitWaiting(1)
	third := l.send("/3")
	l.waitWaiting(2)
	second.die()
	l.waitWaiting(1)
	for _, c := range []*rawConn{first, third} {
		g.open <- true
		c.answer(t, "GET")
	}
	if n := l.counters().Errors.Aborted; n != 1 {
		t.Errorf("%d aborted", n)
	}
}

func TestAFullBackendIsPassedOver(t *testing.T) {
	a, b := newGate(t, "s1"), newGate(t, "s2")
	a.MaxConn = 1 // its own goes before the pool's
	l := newBed(t, []lbcore.BackendConfig{a.BackendConfig, b.BackendConfig}, maxconn(3, 10, time.Minute))
	for i := range 5 {
		l.send(fmt.Sprint("/", i))
	}
	a.has(t, 1)
	b.has(t, 3)
	l.waitWaiting(1)
	must(t, l.Pool("web").Set([]lbcore.BackendConfig{a.BackendConfig, b.BackendConfig, newGateAt(t, "s3", 2)}))
	l.waitWaiting(0)
}

// newGateAt is a gate of which only the address is of interest.
func newGateAt(t *testing.T, id string, most int) lbcore.BackendConfig {
	c := newGate(t, id).BackendConfig
	c.MaxConn = most
	return c
}

func TestWhoWaitsIsToldWhenNobodyIsUpAnyMore(t *testing.T) {
	g := newGate(t, "s1")
	var checks ill
	l := newBed(t, []lbcore.BackendConfig{g.BackendConfig}, maxconn(1, 10, time.Minute), checkedBy(&checks))
	l.send("/1")
	g.has(t, 1)
	c := l.send("/2")
	l.waitWaiting(1)
	checks.are(g.BackendConfig)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 {
		t.Errorf("answered %s", resp.Status)
	}
	if n := l.counters().Errors; n.NoBackend != 1 {
		t.Errorf("counted %+v", n)
	}
}

func TestABoundOnAPoolIsLiftedForThoseThatWait(t *testing.T) {
	g := newGate(t, "s1")
	l := newBed(t, []lbcore.BackendConfig{g.BackendConfig}, maxconn(1, 10, time.Minute))
	for i := range 4 {
		l.send(fmt.Sprint("/", i))
	}
	g.has(t, 1)
	l.waitWaiting(3)
	l.pool.MaxConn = 0
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool}))
	g.has(t, 4)
}

// Two loops share a backend's bound: neither more at once, nor anybody forgotten.
func TestLoopsShareMaxConnAndForgetNobody(t *testing.T) {
	var now, most atomic.Int64
	handle := func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		_, _ = io.WriteString(w, "ok")
	}
	l := newBed(t, []lbcore.BackendConfig{httpBackend(t, "s1", handle), httpBackend(t, "s2", handle)}, maxconn(2, 1000, time.Minute))
	var wg sync.WaitGroup
	for range 40 {
		c := l.dial()
		wg.Go(func() {
			for range 25 {
				c.say(get)
				if status, err := readAnswer(c); err != nil || status != 200 {
					t.Errorf("status %d: %v", status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if m := most.Load(); m > 4 {
		t.Errorf("%d requests at once on two backends of 2", m)
	}
	s := l.poolState()
	if s.Waiting != 0 || s.Counters.Queued == 0 {
		t.Errorf("%d wait, %d did", s.Waiting, s.Counters.Queued)
	}
}

func TestATCPConnectionWaitsForRoom(t *testing.T) {
	echo := rawBackend(t, "s1", func(_ int, c *rawConn) { _, _ = io.Copy(c, c.r) })
	l := newBed(t, []lbcore.BackendConfig{echo}, maxconn(1, 10, time.Minute), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Mode = lbcore.ModeTCP })
	first := l.dial()
	first.say("1")
	buf := make([]byte, 1)
	_, err := io.ReadFull(first.r, buf)
	must(t, err)
	second := l.dial()
	second.say("2")
	l.waitWaiting(1)
	first.Close()
	if _, err := io.ReadFull(second.r, buf); err != nil || buf[0] != '2' {
		t.Errorf("%q, %v", buf, err)
	}
}
