package lbcore_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/lbcore"
)

func TestRemovedAndDrainedBackendsEndTheirRequestsInFlight(t *testing.T) {
	for name, leave := range map[string]func(lbcore.BackendConfig) []lbcore.BackendConfig{
		"removed": func(lbcore.BackendConfig) []lbcore.BackendConfig { return nil },
		"drained": func(b lbcore.BackendConfig) []lbcore.BackendConfig { return one(withDrain(b)) },
		"moved": func(b lbcore.BackendConfig) []lbcore.BackendConfig {
			return one(backendAt(b.ID, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			came, release := make(chan bool), make(chan bool)
			b := httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "begun ")
				w.(http.Flusher).Flush()
				came <- true
				<-release
				_, _ = io.WriteString(w, "ended")
			})
			l := newBed(t, one(b))
			slow, late := l.dial(), l.dial()
			slow.say(get)
			<-came
			must(t, l.Pool("web").Set(leave(b)))
			late.say(get)
			if resp, _ := late.answer(t, "GET"); resp.StatusCode != 503 {
				t.Errorf("a new request got status %d, want 503", resp.StatusCode)
			}
			close(release)
			if _, body := slow.answer(t, "GET"); body != "begun ended" {
				t.Errorf("the request in flight got %q", body)
			}
		})
	}
}

func TestDrainedBackendComesBackWithoutACheck(t *testing.T) {
	b := httpBackend(t, "s1", hello("s1"))
	l := newBed(t, one(b), longChecks)
	must(t, l.Pool("web").Set(one(withDrain(b))))
	if s := l.poolState().Backends[0]; s.State != lbcore.StateDrain {
		t.Errorf("state %s", s.State)
	}
	must(t, l.Pool("web").Set(one(b)))
	if s := l.poolState().Backends[0]; s.State != lbcore.StateUp {
		t.Errorf("state %s", s.State)
	}
}

func TestChangesAreToldAndReasonsGiven(t *testing.T) {
	b, stop := stoppable(t, "s1")
	l := newBed(t, one(b))
	for len(l.Changes()) > 0 {
		<-l.Changes()
	}
	stop()
	<-l.Changes()
	eventually(t, "down with a reason", func() bool {
		s := l.poolState().Backends[0]
		return s.State == lbcore.StateDown && s.Reason != "" && !s.Since.IsZero() && !s.CheckedAt.IsZero()
	})
}

func TestIPv6OnBothSides(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		testneed.Missing(t, "IPv6 on lo: %v; enable it with `sysctl net.ipv6.conf.lo.disable_ipv6=0`", err)
	}
	var from string
	s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		from = r.Header.Get("X-Forwarded-For")
	})}}
	s.Start()
	t.Cleanup(s.Close)
	l := newBed(t, one(backendAt("s1", ln.Addr())))
	fds, addr := listenAt(t, "[::1]:0", 2)
	l.fe.Listeners = fds
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	resp, err := http.Get("http://" + addr)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 200 || from != "::1" {
		t.Errorf("status %d, X-Forwarded-For %q", resp.StatusCode, from)
	}
}

// A listener on "::" takes IPv4 too, and says ::ffff:127.0.0.1 of it.
func TestIPv4ClientOfADualStackListenerIsNamedAsSuch(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		testneed.Missing(t, "IPv6: %v; enable it with `sysctl net.ipv6.conf.all.disable_ipv6=0`", err)
	}
	must(t, probe.Close())
	heads := make(chan http.Header, 2)
	hosts := make(chan string, 2)
	l := newBed(t, one(httpBackend(t, "s1", func(_ http.ResponseWriter, r *http.Request) {
		heads <- r.Header.Clone()
		hosts <- r.Host
	})))
	fds, addr := listenAt(t, "[::]:0", 2)
	l.fe.Listeners = fds
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	l.addr = "127.0.0.1:" + port
	c := l.dial()
	c.say("GET / HTTP/1.0\r\n\r\n")
	c.answer(t, "GET")
	h := <-heads
	if from, host := h.Get("X-Forwarded-For"), <-hosts; from != "127.0.0.1" || h.Get("X-Forwarded-Port") != port || host != l.addr {
		t.Errorf("X-Forwarded-For %q, port %q, host %q", from, h.Get("X-Forwarded-Port"), host)
	}
}

func TestBadListenersAreRefusedAndNothingIsChanged(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	fds, _ := listenAt(t, "127.0.0.1:0", 1)
	for name, bad := range map[string][]int{
		"not open":   {1 << 20},
		"no socket":  {0},
		"twice":      {fds[0], fds[0]},
		"one of two": {fds[0], 1 << 20},
	} {
		fe := l.fe
		fe.Listeners = bad
		if err := l.SetFrontends([]lbcore.FrontendConfig{fe}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := l.dial()
	c.say(get)
	if _, body := c.answer(t, "GET"); body != "s1" {
		t.Errorf("body %q", body)
	}
	l.fe.Listeners = fds // still ours to give
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
}

func TestThePolicyOfAPoolMayChange(t *testing.T) {
	came, release := make(chan string, 10), make(chan bool)
	slow := func(name string) lbcore.BackendConfig {
		return httpBackend(t, name, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				came <- name
				<-release
			}
			_, _ = io.WriteString(w, name)
		})
	}
	l := newBed(t, []lbcore.BackendConfig{slow("s1"), slow("s2")}, longChecks)
	waiting := l.dial()
	waiting.say("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	busy := <-came
	cfg := l.pool
	cfg.Policy = "leastconn"
	must(t, l.SetPools([]lbcore.PoolConfig{cfg}))
	c := l.dial()
	for range 6 {
		c.say(get)
		if _, body := c.answer(t, "GET"); body == busy {
			t.Errorf("%s was picked, which is busy", body)
		}
		eventually(t, "the last is done", func() bool { return l.Connections().InFlight == 1 })
	}
	close(release)
	waiting.answer(t, "GET")
}

func TestWeightsShareTheRequests(t *testing.T) {
	var set []lbcore.BackendConfig
	for i, w := range []int{1, 2, 3} {
		b := httpBackend(t, fmt.Sprint("s", i), hello(fmt.Sprint("s", i)))
		b.Weight = w
		set = append(set, b)
	}
	l := newBed(t, set)
	c := l.dial()
	got := map[string]int{}
	for range 60 {
		c.say(get)
		_, body := c.answer(t, "GET")
		got[body]++
	}
	if got["s0"] != 10 || got["s1"] != 20 || got["s2"] != 30 {
		t.Errorf("got %v, want 10, 20, 30", got)
	}
}
