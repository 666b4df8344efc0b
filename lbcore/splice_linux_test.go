package lbcore_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestLargeBodiesAreSplicedAndSmallOnesAreNot(t *testing.T) {
	for name, tc := range map[string]struct {
		up, down int
		request  string // framing
		answer   string
		pipes    int
	}{
		"large down":        {0, 4 << 20, "length", "length", 1},
		"large up":          {4 << 20, 0, "length", "length", 1},
		"small":             {20_000, 20_000, "length", "length", 0},
		"chunked":           {4 << 20, 4 << 20, "chunked", "chunked", 0},
		"until close":       {0, 4 << 20, "length", "close", 0}, // becomes chunked
		"until close, old":  {0, 4 << 20, "old", "close", 1},
		"chunked for 1.0":   {0, 4 << 20, "old", "chunked", -1}, // large chunks are, and their size is random
		"large up and down": {4 << 20, 4 << 20, "length", "length", 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, one(httpBackend(t, "s1", mirror)), longChecks, oneLoop)
			url := fmt.Sprintf("/?size=%d&framing=%s", tc.down, tc.answer)
			if tc.request == "old" {
				c := l.dial()
				c.say("GET " + url + " HTTP/1.0\r\n\r\n")
				if _, body := c.answer(t, "GET"); sum(strings.NewReader(body)) != sum(pattern(tc.down, 2)) {
					t.Error("the client received something else")
				}
			} else {
				client := &http.Client{Transport: &http.Transport{}}
				t.Cleanup(client.CloseIdleConnections)
				req, err := http.NewRequest("POST", l.url(url), pattern(tc.up, 1))
				must(t, err)
				if tc.request == "length" {
					req.ContentLength = int64(tc.up)
				}
				resp, err := client.Do(req)
				must(t, err)
				got := sum(resp.Body)
				resp.Body.Close()
				if resp.Header.Get("X-Received") != sum(pattern(tc.up, 1)) || got != sum(pattern(tc.down, 2)) {
					t.Error("one side received something else")
				}
			}
			eventually(t, "done", func() bool { return l.Connections().InFlight == 0 })
			if all, free := lbcore.Pipes(l.Proxy); all != tc.pipes && tc.pipes >= 0 || free != all {
				t.Errorf("%d pipes, %d of them free: want %d", all, free, tc.pipes)
			}
		})
	}
}

func oneLoop(c *lbcore.Config, _ *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { c.Loops = 1 }

// Connections that stall in the middle of a large body keep their pipes; no
// more than there may be, and the others are copied. Those that go away give
// theirs back.
func TestStalledConnectionsHoldABoundedNumberOfPipes(t *testing.T) {
	const size = 8 << 20
	l := newBed(t, one(httpBackend(t, "s1", mirror)), longChecks, oneLoop)
	before := descriptors(t)
	var all []*rawConn
	for range lbcore.MaxPipes + 8 {
		c := l.dial()
		must(t, c.SetReadBuffer(64<<10))
		c.say(fmt.Sprintf("GET /?size=%d&framing=length HTTP/1.1\r\nHost: x\r\n\r\n", size))
		all = append(all, c)
	}
	eventually(t, "all have begun", func() bool { return l.counters().Responses[2] == uint64(len(all)) })
	eventually(t, "pipes are used up", func() bool {
		n, free := lbcore.Pipes(l.Proxy)
		return n == lbcore.MaxPipes && free == 0
	})
	for _, c := range all[8:] {
		c.die()
	}
	for _, c := range all[:8] {
		if _, body := c.answer(t, "GET"); sum(strings.NewReader(body)) != sum(pattern(size, 2)) {
			t.Error("a client received something else")
		}
		c.Close()
	}
	eventually(t, "nothing is left", func() bool { return l.Connections() == lbcore.ConnCounts{} })
	n, free := lbcore.Pipes(l.Proxy)
	if n != free {
		t.Errorf("%d of %d pipes are free", free, n)
	}
	eventually(t, "descriptors are back", func() bool { return descriptors(t) <= before+2*n+4 })
}

func TestSplicedBodiesThatAreCutOff(t *testing.T) {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 4<<20)
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		r, err := c.request()
		if err != nil {
			return
		}
		if r.Method == "POST" {
			_, _ = io.CopyN(io.Discard, c.r, 1<<20)
			c.die()
			return
		}
		c.say(head + strings.Repeat("x", 1<<20))
	})), longChecks, oneLoop)
	c := l.dial()
	c.say(get)
	got, _ := io.ReadAll(c.r)
	if n := len(got); n < 1<<20 || n > len(head)+200+1<<20 {
		t.Errorf("%d bytes of an answer that was cut after 1 MiB", n)
	}
	eventually(t, "cut", func() bool { return l.counters().Errors.Cut == 1 })

	up := l.dial()
	go up.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" + strings.Repeat("x", 8_000_000))
	if resp, _ := up.answer(t, "POST"); resp.StatusCode != 502 {
		t.Errorf("status %d", resp.StatusCode)
	}
	gone := l.dial()
	gone.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" + strings.Repeat("x", 100_000))
	eventually(t, "aborted", func() bool {
		gone.Close()
		return l.counters().Errors.Aborted == 1
	})
	eventually(t, "pipes are free", func() bool { n, free := lbcore.Pipes(l.Proxy); return n == free })
}
