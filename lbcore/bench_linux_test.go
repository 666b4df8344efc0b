package lbcore_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore"
)

// BenchmarkRequest is one small request after the other on one kept connection,
// through lbcore and through net/http's ReverseProxy. Client and backend, which
// are in the same process, allocate nothing, so allocs/op are the proxy's.
func BenchmarkRequest(b *testing.B) {
	backend := fixed(b, "s1", okAnswer)
	b.Run("lbcore", func(b *testing.B) {
		l := newBed(b, []lbcore.BackendConfig{backend}, longChecks, oneLoop)
		askAgain(b, l.dial())
	})
	for _, name := range []string{"leastconn", "random", "hash"} {
		b.Run(name, func(b *testing.B) {
			l := newBed(b, []lbcore.BackendConfig{backend, fixed(b, "s2", okAnswer), fixed(b, "s3", okAnswer)}, longChecks, oneLoop, policy(name, lbcore.HashConfig{}))
			askAgain(b, l.dial())
		})
	}
	b.Run("limits", func(b *testing.B) {
		l := newBed(b, []lbcore.BackendConfig{backend}, longChecks, oneLoop, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
			f.Sources, f.Rules = allLimits()
		})
		askAgain(b, l.dial())
	})
	b.Run("ReverseProxy", func(b *testing.B) {
		s := httptest.NewServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend.Addr.String()}))
		b.Cleanup(s.Close)
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		must(b, err)
		b.Cleanup(func() { c.Close() })
		askAgain(b, &rawConn{c.(*net.TCPConn), bufio.NewReader(c)})
	})
}

func askAgain(b *testing.B, c *rawConn) {
	must(b, c.SetDeadline(time.Time{}))
	request, buf := []byte(get), make([]byte, 4096)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		askOnce(b, c, request, buf, []byte("\r\n\r\nok"))
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used, client and backend included: other work on the
// machine disturbs it less than the time that passes.
func processorTime(tb testing.TB) time.Duration {
	var u unix.Rusage
	must(tb, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// askOnce sends a request and reads up to the end of its answer, without
// allocating.
func askOnce(tb testing.TB, c *rawConn, request, buf, end []byte) {
	_, _ = c.Write(request)
	for n := 0; ; {
		k, err := c.Read(buf[n:])
		if err != nil {
			tb.Fatal(err)
		}
		if n += k; bytes.HasSuffix(buf[:n], end) {
			return
		}
	}
}
