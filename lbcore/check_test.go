package lbcore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHTTPCheckReadsTheStatus(t *testing.T) {
	var host, path atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host.Store(r.Host)
		path.Store(r.URL.RequestURI())
		status := 200
		_, _ = fmt.Sscanf(r.URL.Query().Get("status"), "%d", &status)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	defer s.Close()
	addr := netip.MustParseAddrPort(s.Listener.Addr().String())
	for _, tc := range []struct {
		status int
		well   bool
	}{{200, true}, {204, true}, {302, true}, {399, true}, {400, false}, {500, false}, {503, false}} {
		c := HTTPCheck{Path: fmt.Sprintf("/a?status=%d", tc.status), Host: "app.example", StatusMin: 200, StatusMax: 399}
		err := c.Check(t.Context(), addr)
		if (err == nil) != tc.well {
			t.Errorf("status %d: %v", tc.status, err)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprint("status ", tc.status)) {
			t.Errorf("the reason does not name the status: %v", err)
		}
		if host.Load() != "app.example" || path.Load() != c.Path {
			t.Errorf("asked %s for %s", host.Load(), path.Load())
		}
	}
}

func TestCheckFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(closed.Addr().String())
	closed.Close()
	raw := func(answer string, hold bool) netip.AddrPort {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
				if hold {
					t.Cleanup(func() { c.Close() })
					continue
				}
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		return netip.MustParseAddrPort(ln.Addr().String())
	}
	check := HTTPCheck{Path: "/", StatusMin: 200, StatusMax: 399}
	for _, tc := range []struct {
		name    string
		checker Checker
		addr    netip.AddrPort
		want    string
	}{
		{"refused, TCP", TCPCheck{}, nobody, "refused"},
		{"refused, HTTP", check, nobody, "refused"},
		{"no answer", check, raw("", true), "in time"},
		{"half an answer", check, raw("HTTP/1.1 200", true), "in time"},
		{"closed", check, raw("", false), "ended"},
		{"no HTTP", check, raw("SSH-2.0-OpenSSH\r\n\r\n", false), "http1"},
		{"endless head", check, raw("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 100_000), false), ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := tc.checker.Check(ctx, tc.addr)
		cancel()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := check.Check(ctx, raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true)); err != nil {
		t.Errorf("an interim answer first: %v", err)
	}
}

// script is a check whose results are set by the test.
type script struct {
	calls atomic.Int32
	err   atomic.Pointer[error]
}

func (s *script) Check(context.Context, netip.AddrPort) error {
	s.calls.Add(1)
	if e := s.err.Load(); e != nil {
		return *e
	}
	return nil
}

func (s *script) fail(err error) { s.err.Store(&err) }

// checkedBackend returns a backend whose checker runs in fake time.
func checkedBackend(t *testing.T, s *script, cfg CheckConfig) (*Proxy, *Backend) {
	p := testProxy(t)
	cfg.Checker = s
	if err := p.SetPools([]PoolConfig{{Name: "web", Check: cfg}}); err != nil {
		t.Fatal(err)
	}
	p.checks.begin()
	if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: netip.MustParseAddrPort("127.0.0.1:1")}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.checks.stop)
	return p, p.Pool("web").backends[0]
}

func TestNewBackendIsCheckedAtOnceAndOneSuccessMakesItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		_, b := checkedBackend(t, s, CheckConfig{Rise: 5})
		synctest.Wait()
		if b.State() != StateUp || s.calls.Load() != 1 {
			t.Errorf("state %s after %d checks", b.State(), s.calls.Load())
		}
	})
}

func TestChecksKeepTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		_, b := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		s.fail(errors.New("ill"))
		time.Sleep(2500 * time.Millisecond)
		if b.State() != StateUp || s.calls.Load() != 3 {
			t.Errorf("after 2 bad checks: state %s, %d checks", b.State(), s.calls.Load())
		}
		time.Sleep(time.Second)
		if snap := b.snapshot(); snap.State != StateDown || snap.Reason != "ill" {
			t.Errorf("after 3 bad checks: %+v", snap)
		}
		s.err.Store(nil)
		time.Sleep(time.Second)
		if b.State() != StateDown {
			t.Error("one good check brought it back, want 2")
		}
		time.Sleep(time.Second)
		if snap := b.snapshot(); snap.State != StateUp || snap.Reason != "" || time.Since(snap.Since) > time.Second {
			t.Errorf("after 2 good checks: %+v", snap)
		}
	})
}

func TestFailedConnectionsTakeAKilledBackendDownWithoutWaitingForTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p, b := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		for len(p.Changes()) > 0 {
			<-p.Changes()
		}
		killed := time.Now()
		s.fail(errors.New("refused"))
		for range 3 {
			b.failed(errors.New("refused"))
			b.failed(errors.New("refused")) // coalesced
			time.Sleep(recheckGap + time.Millisecond)
		}
		if b.State() != StateDown || time.Since(killed) > 100*time.Millisecond {
			t.Errorf("state %s after %v", b.State(), time.Since(killed))
		}
		if len(p.Changes()) != 1 {
			t.Error("the change was not told")
		}
	})
}

func TestRemovedBackendIsCheckedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p, _ := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		if err := p.Pool("web").Set(nil); err != nil {
			t.Fatal(err)
		}
		n := s.calls.Load()
		time.Sleep(time.Minute)
		if s.calls.Load() != n {
			t.Errorf("%d checks after it was removed", s.calls.Load()-n)
		}
	})
}

// hanging is a check whose packets are lost while the network is away: they are repeated
// long after it is back.
type hanging struct {
	away  atomic.Bool
	calls atomic.Int32
}

func (h *hanging) Check(ctx context.Context, _ netip.AddrPort) error {
	h.calls.Add(1)
	if !h.away.Load() {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestARecheckTakesThePlaceOfAHangingCheckAndForgivesWhatWasFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(hanging)
		p := testProxy(t)
		err := p.SetPools([]PoolConfig{{Name: "web", Check: CheckConfig{
			Checker: h, Interval: 10 * time.Second, Timeout: 5 * time.Second, Rise: 5, Fall: 1,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		p.checks.begin()
		t.Cleanup(p.checks.stop)
		if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: netip.MustParseAddrPort("127.0.0.1:1")}}); err != nil {
			t.Fatal(err)
		}
		b := p.Pool("web").backends[0]
		synctest.Wait()
		if b.State() != StateUp {
			t.Fatal("not up")
		}
		h.away.Store(true)
		time.Sleep(21 * time.Second) // it is down, and the next check hangs
		if b.State() != StateDown || h.calls.Load() != 3 {
			t.Fatalf("state %s after %d checks", b.State(), h.calls.Load())
		}
		h.away.Store(false)
		p.Recheck()
		synctest.Wait()
		if b.State() != StateUp || h.calls.Load() != 4 {
			t.Errorf("state %s after %d checks; want up by the fourth, in place of the third", b.State(), h.calls.Load())
		}
		p.Recheck() // while none is under way
		synctest.Wait()
		if h.calls.Load() != 5 {
			t.Errorf("%d checks, want a fifth at once", h.calls.Load())
		}
	})
}
