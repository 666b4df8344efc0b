package lbcore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/check"
)

// load sends GETs until stopped: from half of its clients over kept
// connections, from the others over a new one each.
type load struct {
	sent, failed atomic.Int64
	first        atomic.Pointer[string] // failure
	stop         func()
}

func (l *bed) startLoad(clients int, path string) *load {
	ctx, cancel := context.WithCancel(l.t.Context())
	ld := &load{}
	var wg sync.WaitGroup
	for i := range clients {
		tr := &http.Transport{DisableKeepAlives: i%2 == 1}
		client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
		wg.Go(func() {
			defer tr.CloseIdleConnections()
			for ctx.Err() == nil {
				ld.one(client, l.url(path))
			}
		})
	}
	ld.stop = func() { cancel(); wg.Wait() }
	l.t.Cleanup(ld.stop)
	return ld
}

func (ld *load) one(client *http.Client, url string) {
	ld.sent.Add(1)
	resp, err := client.Get(url)
	what := ""
	if err != nil {
		what = err.Error()
	} else {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || err != nil {
			what = fmt.Sprintf("status %d, body %q, %v", resp.StatusCode, b, err)
		}
	}
	if what != "" {
		ld.failed.Add(1)
		ld.first.CompareAndSwap(nil, &what)
	}
}

// more waits until n further requests were sent.
func (ld *load) more(t *testing.T, n int64) {
	t.Helper()
	goal := ld.sent.Load() + n
	eventually(t, "requests go on", func() bool { return ld.sent.Load() >= goal })
}

func (ld *load) mustBeGood(t *testing.T) {
	t.Helper()
	ld.stop()
	if n := ld.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed; the first: %s", n, ld.sent.Load(), *ld.first.Load())
	}
}

// byHTTP asks for / by GET.
var byHTTP = check.Question{Kind: check.HTTP}

func quickHTTPCheck(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
	p.Check = lbcore.CheckConfig{Question: byHTTP, Interval: 100 * time.Millisecond, Timeout: 100 * time.Millisecond, Fall: 2}
}

func TestKilledBackendUnderLoadCostsNoGET(t *testing.T) {
	var set []lbcore.BackendConfig
	var procs []*process
	for i := range 3 {
		p := startProcess(t, fmt.Sprint("s", i), "127.0.0.1:0")
		procs, set = append(procs, p), append(set, p.BackendConfig)
	}
	l := newBed(t, set, quickHTTPCheck)
	ld := l.startLoad(8, "/?sleep=1ms")
	for range 3 {
		ld.more(t, 200)
		procs[0].kill()
		eventually(t, "seen down", func() bool { return l.poolState().Up == 2 })
		ld.more(t, 200)
		procs[0] = startProcess(t, "s0", procs[0].Addr.String())
		l.waitUp(3)
	}
	ld.mustBeGood(t)
}

func TestFrozenBackendUnderLoadCostsNoGET(t *testing.T) {
	a, b := startProcess(t, "s0", "127.0.0.1:0"), startProcess(t, "s1", "127.0.0.1:0")
	l := newBed(t, []lbcore.BackendConfig{a.BackendConfig, b.BackendConfig}, quickHTTPCheck)
	ld := l.startLoad(8, "/")
	ld.more(t, 200)
	must(t, a.cmd.Process.Signal(syscall.SIGSTOP))
	eventually(t, "seen down", func() bool { return l.poolState().Up == 1 })
	ld.more(t, 200)
	must(t, a.cmd.Process.Signal(syscall.SIGCONT))
	l.waitUp(2)
	ld.more(t, 200)
	ld.mustBeGood(t)
}

func TestSetUnderLoadLosesNothing(t *testing.T) {
	var all []lbcore.BackendConfig
	for i := range 4 {
		all = append(all, httpBackend(t, fmt.Sprint("s", i), hello("ok")))
	}
	l := newBed(t, all)
	ld := l.startLoad(8, "/")
	for i := range 40 {
		set := append([]lbcore.BackendConfig{}, all...)
		switch i % 4 {
		case 0:
			set = set[:2]
		case 1:
			set[0].Drain = true
		case 2:
			set = set[1:]
			set[0].Weight = 1 + i
		}
		// A set whose new members were not checked yet keeps old ones beside them.
		must(t, l.Pool("web").Set(set))
		ld.more(t, 20)
		if i%8 == 7 {
			must(t, l.SetPools([]lbcore.PoolConfig{l.pool}))
			must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
		}
		eventually(t, "one is up", func() bool { return l.poolState().Up > 0 })
	}
	ld.mustBeGood(t)
}

func TestDescriptorsAreAllGivenBack(t *testing.T) {
	before := descriptors(t)
	for range 2 {
		var l *bed
		t.Run("mixed", func(t *testing.T) {
			slow := httpBackend(t, "slow", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					<-r.Context().Done()
				}
				mirror(w, r)
			})
			dead, stop := stoppable(t, "dead")
			l = newBed(t, []lbcore.BackendConfig{slow, dead}, longChecks)
			stop()
			ld := l.startLoad(6, "/?size=1000&framing=chunked")
			ld.more(t, 300)
			ld.mustBeGood(t)
			for i := range 60 { // clients that go away at every stage
				c := l.dial()
				c.say([]string{
					"", "GET / HT", "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", "GET /?size=5000000&framing=length HTTP/1.1\r\nHost: x\r\n\r\n",
					"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", "nonsense\r\n\r\n",
				}[i%6])
				if i%2 == 0 {
					c.die()
				} else {
					c.Close()
				}
			}
			eventually(t, "no client connection", func() bool { return l.counters().Current == 0 })
			eventually(t, "no request in flight", func() bool { return l.poolState().Backends[0].Counters.Current == 0 })
		})
	}
	eventually(t, fmt.Sprintf("descriptors return to %d", before), func() bool { return descriptors(t) <= before })
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(d)
}

func TestAbortedRequestEndsAtTheBackend(t *testing.T) {
	for name, leave := range map[string]func(*rawConn){
		"reset": (*rawConn).die,
		"close": func(c *rawConn) { c.Close() },
	} {
		for _, request := range []string{
			get,
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
			"GET /streaming HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", // in epoll only after a while
		} {
			t.Run(name+" "+strings.Fields(request)[0]+strings.Fields(request)[1], func(t *testing.T) {
				came, gone := make(chan bool, 1), make(chan bool, 1)
				l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
					came <- true
					if r.URL.Path == "/streaming" {
						for r.Context().Err() == nil {
							_, _ = w.Write(make([]byte, 1000))
						}
					}
					_, _ = io.Copy(io.Discard, r.Body)
					<-r.Context().Done()
					gone <- true
				})), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
					f.Timeouts.HalfClose = 20 * time.Millisecond
				})
				c := l.dial()
				c.say(request)
				<-came
				leave(c)
				select {
				case <-gone:
				case <-time.After(10 * time.Second):
					t.Fatal("the backend still works for a client that has left")
				}
				eventually(t, "counted", func() bool { return l.counters().Errors.Aborted == 1 })
			})
		}
	}
}
