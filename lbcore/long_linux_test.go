package lbcore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "bodies of 1 GiB and 1,000,000 requests; some minutes")

// size is a test's large form with -long, else its small one.
func size(small, large int64) int64 {
	if *long {
		return large
	}
	return small
}

// noise is n bytes that another seed would not give.
func noise(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// hasher answers with the hash of what it was sent, and with noise of its own.
func hasher(w http.ResponseWriter, r *http.Request) {
	got, err := hashOf(r.Body)
	if err != nil {
		return // an aborting client
	}
	n, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	seed, _ := strconv.Atoi(r.URL.Query().Get("seed"))
	w.Header().Set("X-Hash", got)
	if r.URL.Query().Get("framing") == "length" {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if r.URL.Query().Has("reset") {
		resetAfter(w, noise(byte(seed), n/2))
		return
	}
	_, _ = io.Copy(w, noise(byte(seed), n))
}

// resetAfter begins an answer and resets its connection.
func resetAfter(w http.ResponseWriter, begin io.Reader) {
	_, _ = io.Copy(w, begin)
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	(&rawConn{TCPConn: c.(*net.TCPConn)}).die()
}

// Bodies of every size come through whole, both ways at once, while other clients
// leave in the middle of theirs, and the backend in the middle of its answers.
func TestLargeBodiesComeThroughWholeWhileOthersLeave(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hasher)), longChecks)
	large := size(32<<20, 1<<30)
	var others, mine sync.WaitGroup
	stop := make(chan bool)
	for i := range 4 {
		others.Go(func() { leaveInTheMiddle(l, i, stop) })
	}
	for range 2 {
		others.Go(func() { beLeftInTheMiddle(l, stop) })
	}
	for i, framing := range []string{"length", "chunked"} {
		mine.Go(func() {
			for _, n := range []int64{0, 1, 32<<10 - 1, 32 << 10, 1<<20 + 1, large} {
				if err := exchangeNoise(l, byte(i+1), n, framing); err != nil {
					t.Errorf("%d bytes, %s: %v", n, framing, err)
				}
			}
		})
	}
	mine.Wait()
	close(stop)
	others.Wait()
	eventually(t, "nothing is left over", func() bool { return l.counters().Current == 0 && l.Connections().InFlight == 0 })
	if n := l.counters().Errors; n.Aborted == 0 || n.Cut == 0 {
		t.Errorf("%d clients and %d answers ended in the middle: the test proves little", n.Aborted, n.Cut)
	}
}

// beLeftInTheMiddle asks for answers that are cut off by the backend, until stop.
func beLeftInTheMiddle(l *bed, stop chan bool) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
		c := l.dial()
		c.say(fmt.Sprintf("GET /?reset&size=%d&framing=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 1<<(i%22), []string{"length", "chunked"}[i%2]))
		_, _ = io.Copy(io.Discard, c.r)
		c.Close()
	}
}

func leaveInTheMiddle(l *bed, i int, stop chan bool) {
	rng := rand.New(rand.NewPCG(1, uint64(i)))
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
		c := l.dial()
		c.say("POST /?size=5000000&framing=length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
		_, _ = c.Write(make([]byte, rng.IntN(1_000_001)))
		if rng.IntN(2) == 0 {
			c.die()
		} else {
			c.Close()
		}
	}
}

// exchangeNoise sends n bytes and receives as many others.
func exchangeNoise(l *bed, seed byte, n int64, framing string) error {
	sent, err := hashOf(noise(seed, n))
	if err != nil {
		return err
	}
	req, err := http.NewRequest("POST", l.url(fmt.Sprintf("/?size=%d&seed=%d&framing=%s", n, seed+100, framing)), noise(seed, n))
	if err != nil {
		return err
	}
	if req.ContentLength = n; framing == "chunked" {
		req.ContentLength = -1
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := hashOf(resp.Body)
	if err != nil {
		return err
	}
	want, err := hashOf(noise(seed+100, n))
	if resp.StatusCode != 200 || resp.Header.Get("X-Hash") != sent || got != want {
		return fmt.Errorf("status %d: sent %s, received as %s; answered %s, came as %s", resp.StatusCode, sent, resp.Header.Get("X-Hash"), want, got)
	}
	return err
}

// What many requests leave behind is nothing: no descriptor and no memory.
func TestManyRequestsLeaveNothingBehind(t *testing.T) {
	const clients = 16
	l := newBed(t, one(fixed(t, "s1", okAnswer)), longChecks)
	var conns []*rawConn
	for range clients {
		c := l.dial()
		must(t, c.SetDeadline(time.Now().Add(time.Hour)))
		conns = append(conns, c)
	}
	ask := func(each int64) {
		var wg sync.WaitGroup
		for _, c := range conns {
			wg.Go(func() {
				request, buf, end := []byte(get), make([]byte, 4096), []byte(okAnswer[len(okAnswer)-5:])
				for range each {
					askOnce(t, c, request, buf, end)
				}
			})
		}
		wg.Wait()
	}
	// Both ends of a kept connection to the backend are in this process, and as many are kept
	// as there were requests at once.
	open := func() int { return descriptors(t) - 2*int(l.poolState().Backends[0].Counters.Conns) }
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ask(1000)
	heap, fds := memory(), open()
	ask(size(30_000, 1_000_000) / clients)
	if after := open(); after > fds {
		t.Errorf("%d descriptors became %d", fds, after)
	}
	if after := memory(); after > heap+1<<20 {
		t.Errorf("%d bytes of heap became %d", heap, after)
	}
}
