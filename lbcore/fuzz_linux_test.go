package lbcore_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// FuzzExchange throws any bytes at both sides of a proxy: client and backend
// each send theirs in one or two pieces and close. Nothing may panic, and
// nothing may be left over.
func FuzzExchange(f *testing.F) {
	for _, s := range [][2]string{
		{get, okAnswer},
		{get + get + post(5), okAnswer + okAnswer},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil the end"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"},
		{"HEAD / HTTP/1.0\r\n\r\nrest", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
		{post(100)[:90], "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"},
		{"GET /" + strings.Repeat("x", 20_000), "HTTP/1.1 2"},
	} {
		f.Add([]byte(s[0]), []byte(s[1]), uint16(3), uint16(10))
	}
	var mu sync.Mutex
	var answer []byte
	var cut int
	b := rawBackend(f, "s1", func(_ int, c *rawConn) {
		mu.Lock()
		first, second := split(answer, cut)
		mu.Unlock()
		_, _ = c.Write(first)
		_, _ = c.Write(second)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c.r)
	})
	l := newBed(f, one(b), longChecks, func(c *lbcore.Config, fe *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		c.Loops = 1
		fe.Timeouts.HalfClose, fe.Timeouts.Client, p.Timeouts.Server = time.Second, time.Second, time.Second
	})
	f.Fuzz(func(t *testing.T, request, reply []byte, cutRequest, cutReply uint16) {
		mu.Lock()
		answer, cut = reply, int(cutReply)
		mu.Unlock()
		l.t = t
		c := l.dial()
		defer c.Close()
		first, second := split(request, int(cutRequest))
		_, _ = c.Write(first)
		_, _ = c.Write(second)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c.r)
		c.Close()
		eventually(t, "nothing is left over", func() bool {
			return l.counters().Current == 0 && l.poolState().Backends[0].Counters.Current == 0
		})
	})
}

func split(b []byte, at int) (first, second []byte) {
	at = min(at, len(b))
	return b[:at], b[at:]
}
