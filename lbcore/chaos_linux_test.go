package lbcore_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// Backends die, stall and answer in every way, clients too; whatever a client
// gets in whole must be the answer to what it asked.
func TestNoAnswerEverReachesTheWrongClient(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var stop atomic.Bool
	var set []lbcore.BackendConfig
	for i := range 4 {
		set = append(set, rawBackend(t, fmt.Sprint("s", i), func(n int, c *rawConn) {
			rng := rand.New(rand.NewPCG(seed, uint64(i*1_000_000+n)))
			for chaoticAnswer(rng, c) {
			}
		}))
	}
	l := newBed(t, set, longChecks, func(_ *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Server, f.Timeouts.HalfClose = time.Second, 50*time.Millisecond
	})
	var wg sync.WaitGroup
	var whole atomic.Int64
	for i := range 16 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for n := 0; !stop.Load() && !t.Failed(); n++ {
				whole.Add(int64(chaoticClient(t, rng, l.dial(), fmt.Sprintf("%d-%d", i, n))))
			}
		})
	}
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline) && whole.Load() < 3000 && !t.Failed(); {
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	eventually(t, "all quiet", func() bool {
		for _, b := range l.poolState().Backends {
			if b.Counters.Current != 0 {
				return false
			}
		}
		return l.counters().Current == 0
	})
	t.Logf("%d whole answers; %+v", whole.Load(), l.counters())
}

// contentFor is the body that belongs to an identity.
func contentFor(id string) string {
	n := 0
	for _, b := range []byte(id) {
		n = n*31 + int(b)
	}
	return strings.Repeat(id+"\n", 1+n%997*(1+n%7))
}

// inPieces sends s in pieces of random sizes, up to cut, which may lie beyond
// its end.
func inPieces(rng *rand.Rand, c *rawConn, s string, cut int) {
	s = s[:min(cut, len(s))]
	for len(s) > 0 {
		n := len(s)
		if rng.IntN(2) == 0 {
			n = min(1+rng.IntN(2000), n)
		}
		if _, err := io.WriteString(c, s[:n]); err != nil {
			return
		}
		s = s[n:]
		if rng.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
}

// chaoticAnswer serves one request and reports whether to go on.
func chaoticAnswer(rng *rand.Rand, c *rawConn) bool {
	r, err := c.request()
	if err != nil {
		return false
	}
	fate := rng.IntN(100)
	if fate < 3 {
		c.die()
		return false
	}
	id := r.URL.Path[1:]
	if fate > 5 {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		if len(b) > 0 && string(b) != contentFor(id) {
			c.say("HTTP/1.1 599 Mixed\r\nContent-Length: 0\r\n\r\n")
			return false
		}
	}
	keep := fate > 20
	head := "HTTP/1.1 200 OK\r\nX-Id: " + id + "\r\n"
	if !keep && fate%2 == 0 {
		head += "Connection: close\r\n"
	}
	head, body, endless := framed(rng, head, contentFor(id))
	if r.Method == "HEAD" {
		body = ""
	}
	keep = keep && !endless
	wire := head + body
	if rng.IntN(4) == 0 {
		wire = "HTTP/1.1 103 Early Hints\r\nX-Id: " + id + "\r\n\r\n" + wire
	}
	cut := len(wire)
	if fate >= 90 {
		cut = rng.IntN(len(wire))
		keep = false
	}
	inPieces(rng, c, wire, cut)
	if fate >= 95 {
		c.die()
	}
	return keep && fate > 5
}

// framed completes a head and frames a body in one of three ways.
func framed(rng *rand.Rand, head, body string) (h, b string, endless bool) {
	switch rng.IntN(3) {
	case 0:
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, len(body)), body, false
	case 1:
		return head + "\r\n", body, true
	}
	var s strings.Builder
	for body != "" {
		n := min(1+rng.IntN(3000), len(body))
		fmt.Fprintf(&s, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return head + "Transfer-Encoding: chunked\r\n\r\n", s.String() + "0\r\n\r\n", false
}

// chaoticClient sends some requests in one go, may leave in between, and
// returns the number of whole answers.
func chaoticClient(t *testing.T, rng *rand.Rand, c *rawConn, name string) (whole int) {
	defer c.Close()
	var wire strings.Builder
	var ids, methods []string
	for i := range 1 + rng.IntN(6) {
		id := fmt.Sprintf("%s-%d", name, i)
		method := []string{"GET", "GET", "HEAD", "POST", "PUT"}[rng.IntN(5)]
		ids, methods = append(ids, id), append(methods, method)
		fmt.Fprintf(&wire, "%s /%s HTTP/1.1\r\nHost: x\r\n", method, id)
		body := contentFor(id)
		switch {
		case method[0] != 'P':
			wire.WriteString("\r\n")
		case rng.IntN(2) == 0:
			fmt.Fprintf(&wire, "Content-Length: %d\r\n\r\n%s", len(body), body)
		default:
			half := len(body) / 2
			fmt.Fprintf(&wire, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, body[:half], len(body)-half, body[half:])
		}
	}
	cut, seed := wire.Len(), rng.Uint64()
	leave := rng.IntN(10) == 0
	if leave {
		cut = rng.IntN(cut)
	}
	sent := make(chan bool)
	go func() {
		defer close(sent)
		inPieces(rand.New(rand.NewPCG(seed, 0)), c, wire.String(), cut)
		if leave && seed%2 == 0 {
			c.die()
		} else if leave {
			_ = c.CloseWrite()
		}
	}()
	defer func() { c.Close(); <-sent }()
	for i, id := range ids {
		for {
			resp, err := http.ReadResponse(c.r, &http.Request{Method: methods[i]})
			if err != nil {
				return whole
			}
			if got := resp.Header.Get("X-Id"); resp.StatusCode < 300 && got != id || resp.StatusCode == 599 {
				t.Errorf("%s: status %d, answer for %q", id, resp.StatusCode, got)
				return whole
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode == 408 {
				return whole
			}
			if resp.StatusCode/100 == 1 {
				continue
			}
			// An endless body that was cut cannot be told from a whole one.
			want := contentFor(id)
			if resp.StatusCode == 200 && methods[i] != "HEAD" && string(b) != want && !(resp.ContentLength < 0 && strings.HasPrefix(want, string(b))) {
				t.Errorf("%s: wrong body of %d bytes", id, len(b))
			}
			whole++
			if resp.Close {
				return whole
			}
			break
		}
	}
	return whole
}
