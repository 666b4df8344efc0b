package lbcore_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// bed is a running proxy with one frontend, "http", and one pool, "web".
type bed struct {
	*lbcore.Proxy
	t    testing.TB
	addr string
	pool lbcore.PoolConfig
	fe   lbcore.FrontendConfig
	fds  []int
	stop func()
}

type bedOption func(*lbcore.Config, *lbcore.FrontendConfig, *lbcore.PoolConfig)

// newBed starts a proxy whose pool checks by TCP every 50 ms, before the given
// backends.
func newBed(t testing.TB, backends []lbcore.BackendConfig, options ...bedOption) *bed {
	t.Helper()
	l := &bed{t: t}
	cfg := lbcore.Config{Loops: 2, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	l.pool = lbcore.PoolConfig{Name: "web", Check: lbcore.CheckConfig{Interval: 50 * time.Millisecond}}
	l.fe = lbcore.FrontendConfig{Name: "http", Pool: "web"}
	for _, o := range options {
		o(&cfg, &l.fe, &l.pool)
	}
	var err error
	if l.Proxy, err = lbcore.New(cfg); err != nil {
		t.Fatal(err)
	}
	l.fds, l.addr = listenAt(t, "127.0.0.1:0", cfg.Loops)
	l.fe.Listeners = l.fds
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool}))
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	must(t, l.Pool("web").Set(backends))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	l.stop = func() {
		cancel()
		select {
		case err := <-ended:
			ended <- nil
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("Run does not end")
		}
	}
	t.Cleanup(l.stop)
	if len(backends) > 0 {
		l.waitUp(len(backends))
	}
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listenAt makes n listening sockets on one port.
func listenAt(t testing.TB, at string, n int) (fds []int, addr string) {
	t.Helper()
	addr = at
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 0xf /* SO_REUSEPORT */, 1)
		})
	}}
	for range n {
		l, err := lc.Listen(t.Context(), "tcp", addr)
		must(t, err)
		addr = l.Addr().String()
		f, err := l.(*net.TCPListener).File()
		must(t, err)
		fd, err := syscall.Dup(int(f.Fd()))
		must(t, err)
		syscall.CloseOnExec(fd)
		must(t, f.Close())
		must(t, l.Close())
		fds = append(fds, fd)
	}
	return fds, addr
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("never: %s\n%s", what, buf[:runtime.Stack(buf, false)])
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (l *bed) poolState() lbcore.PoolSnapshot { return l.Snapshot().Pools[0] }

func (l *bed) waitUp(n int) {
	l.t.Helper()
	eventually(l.t, "backends up", func() bool { return l.poolState().Up == n })
}

func (l *bed) counters() lbcore.FrontendCounters { return l.Snapshot().Frontends[0].Counters }

// url returns an address of the frontend for path.
func (l *bed) url(path string) string { return "http://" + l.addr + path }

// httpBackend starts a net/http server.
func httpBackend(t testing.TB, id string, h http.HandlerFunc) lbcore.BackendConfig {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return backendAt(id, s.Listener.Addr())
}

func backendAt(id string, a net.Addr) lbcore.BackendConfig {
	return lbcore.BackendConfig{ID: id, Addr: netip.MustParseAddrPort(a.String())}
}

// rawBackend starts a server that hands each connection to serve, numbered
// from 0. Connections that end without a byte (checks) are not counted.
func rawBackend(t testing.TB, id string, serve func(n int, c *rawConn)) lbcore.BackendConfig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	numbers := make(chan int, 1)
	numbers <- 0
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				rc := &rawConn{c.(*net.TCPConn), bufio.NewReader(c)}
				if _, err := rc.r.Peek(1); err != nil {
					return
				}
				n := <-numbers
				numbers <- n + 1
				serve(n, rc)
			}()
		}
	}()
	return backendAt(id, ln.Addr())
}

// rawConn is a connection with a reader that remembers.
type rawConn struct {
	*net.TCPConn
	r *bufio.Reader
}

// request reads the head of a request.
func (c *rawConn) request() (*http.Request, error) { return http.ReadRequest(c.r) }

func (c *rawConn) say(s string) { _, _ = io.WriteString(c, s) }

// die makes the kernel send a reset.
func (c *rawConn) die() {
	_ = c.SetLinger(0)
	c.Close()
}

// dial connects a raw client.
func (l *bed) dial() *rawConn {
	l.t.Helper()
	c, err := net.Dial("tcp", l.addr)
	must(l.t, err)
	l.t.Cleanup(func() { c.Close() })
	must(l.t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &rawConn{c.(*net.TCPConn), bufio.NewReader(c)}
}

// answer reads one answer with its body.
func (c *rawConn) answer(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("answer %s: body: %v", resp.Status, err)
	}
	return resp, string(body)
}

// ended reads up to the end of the connection and returns what came.
func (c *rawConn) ended(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil {
		t.Fatalf("connection did not end in order: %v (after %q)", err, b)
	}
	return string(b)
}

// readAnswer is answer for goroutines other than the test's.
func readAnswer(c *rawConn) (status int, err error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// stoppable is a backend that answers nothing and can be killed: its port
// refuses connections afterwards.
func stoppable(t *testing.T, id string) (b lbcore.BackendConfig, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	stop = func() { ln.Close() }
	t.Cleanup(stop)
	return backendAt(id, ln.Addr()), stop
}

// listenBacklog listens with the given queue length and never accepts.
func listenBacklog(t *testing.T, backlog int) net.Addr {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, syscall.Listen(fd, backlog))
	sa, err := syscall.Getsockname(fd)
	must(t, err)
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*syscall.SockaddrInet4).Port}
}

// alwaysWell is a check that never fails.
type alwaysWell struct{}

func (alwaysWell) Check(context.Context, netip.AddrPort) error { return nil }

// switchable is a check that fails for one address.
type switchable struct {
	down atomic.Pointer[netip.AddrPort]
}

func (s *switchable) Check(_ context.Context, a netip.AddrPort) error {
	if d := s.down.Load(); d != nil && *d == a {
		return errors.New("switched off")
	}
	return nil
}
