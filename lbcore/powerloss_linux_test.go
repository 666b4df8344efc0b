package lbcore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/lbcore"
)

// proxyEnv makes the test binary a proxy on the given address, whose arguments
// are its backends.
const proxyEnv = "LBCORE_TEST_PROXY"

// runProxy prints "up N" whenever the number of backends that are up changes.
func runProxy(addr string, backends []string) {
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	ln, err := net.Listen("tcp", addr)
	check(err)
	f, err := ln.(*net.TCPListener).File()
	check(err)
	fd, err := syscall.Dup(int(f.Fd()))
	check(err)
	p, err := lbcore.New(lbcore.Config{Loops: 1})
	check(err)
	check(p.SetPools([]lbcore.PoolConfig{{
		Name:     "web",
		Check:    lbcore.CheckConfig{Question: byHTTP, Interval: 200 * time.Millisecond, Timeout: 200 * time.Millisecond},
		Timeouts: lbcore.PoolTimeouts{Connect: 300 * time.Millisecond},
	}}))
	check(p.SetFrontends([]lbcore.FrontendConfig{{Name: "http", Pool: "web", Listeners: []int{fd}}}))
	var set []lbcore.BackendConfig
	for _, b := range backends {
		set = append(set, lbcore.BackendConfig{ID: b, Addr: netip.MustParseAddrPort(b)})
	}
	check(p.Pool("web").Set(set))
	go func() {
		last := -1
		for range p.Changes() {
			if up := p.Snapshot().Pools[0].Up; up != last {
				last = up
				fmt.Println("up", up)
			}
		}
	}()
	check(p.Run(context.Background()))
}

// A host without power sends neither FIN nor RST: connections to it hang.
func TestBackendThatLosesItsPowerUnderLoadCostsNoGET(t *testing.T) {
	lab.Need(t)
	l, err := lab.New(lab.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	host := func(name, addr string) *lab.Host {
		h, err := l.Host(name, netip.MustParsePrefix(addr))
		must(t, err)
		return h
	}
	client, lb := host("client", "10.0.0.9/24"), host("lb", "10.0.0.1/24")
	var backends []*lab.Host
	var addrs []string
	for i := range 3 {
		h := host(fmt.Sprint("s", i), fmt.Sprintf("10.0.0.1%d/24", i))
		addr := fmt.Sprintf("10.0.0.1%d:80", i)
		_, err := h.Start(lab.Command{Env: append(os.Environ(), backendEnv+"="+addr)})
		must(t, err)
		backends, addrs = append(backends, h), append(addrs, addr)
	}
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() }) // or what nobody reads would hold up the lab's end
	_, err = lb.Start(lab.Command{Args: addrs, Env: append(os.Environ(), proxyEnv+"=10.0.0.1:80"), Stdout: w, Stderr: os.Stderr})
	must(t, err)
	lines := bufio.NewReader(r)
	waitFor := func(want string) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			must(t, err)
			if strings.TrimSpace(line) == want {
				return
			}
		}
	}
	waitFor("up 3")

	ld := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var slowest atomic.Int64
	for i := range 6 {
		tr := &http.Transport{DisableKeepAlives: i%2 == 1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return client.Dial(ctx, network, netip.MustParseAddrPort(addr))
		}}
		wg.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				ld.one(&http.Client{Transport: tr, Timeout: 10 * time.Second}, "http://10.0.0.1:80/?sleep=2ms")
				slowest.Store(max(slowest.Load(), int64(time.Since(start))))
			}
			tr.CloseIdleConnections()
		})
	}
	ld.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(ld.stop)
	ld.more(t, 200)
	must(t, backends[0].PowerOff())
	waitFor("up 2")
	ld.more(t, 200)
	ld.mustBeGood(t)
	t.Logf("%d requests, the slowest took %v", ld.sent.Load(), time.Duration(slowest.Load()))
}
