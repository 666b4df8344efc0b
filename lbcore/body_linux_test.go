package lbcore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// pattern is a stream of n bytes that depends on seed.
func pattern(n int, seed uint64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return io.LimitReader(rand.NewChaCha8(key), int64(n))
}

func sum(r io.Reader) string {
	h := sha256.New()
	_, _ = io.Copy(h, r)
	return hexSum(h)
}

func hexSum(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)[:8]) }

// mirror reads the request's body, tells its hash, and answers with a pattern
// of the asked size, framed as asked.
func mirror(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("size"))
	w.Header().Set("X-Received", sum(r.Body))
	body := pattern(size, 2)
	switch q.Get("framing") {
	case "length":
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.Copy(w, body)
	case "chunked":
		w.(http.Flusher).Flush()
		_, _ = io.CopyBuffer(struct{ io.Writer }{w}, body, make([]byte, 1+rand.IntN(40_000)))
	case "close":
		c, bw, _ := w.(http.Hijacker).Hijack()
		defer c.Close()
		fmt.Fprintf(bw, "HTTP/1.1 200 OK\r\nX-Received: %s\r\n\r\n", w.Header().Get("X-Received"))
		_, _ = io.Copy(bw, body)
		_ = bw.Flush()
	}
}

func TestBodiesArriveWholeInBothDirections(t *testing.T) {
	l := newBed(t, []lbcore.BackendConfig{httpBackend(t, "s1", mirror), httpBackend(t, "s2", mirror)})
	for name, client := range map[string]*http.Client{
		"default buffers": {Transport: &http.Transport{}},
		"small buffers":   {Transport: &http.Transport{DialContext: smallBuffers}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(client.CloseIdleConnections)
			sizes := []int{0, 1, 100, 4096, 65535, 65536, 65537, 200_000, 1 << 20}
			for _, size := range sizes {
				for _, to := range []string{"length", "chunked"} {
					for _, from := range []string{"length", "chunked", "close"} {
						exchange(t, client, l.url(fmt.Sprintf("/?size=%d&framing=%s", size, from)), size, to)
					}
				}
			}
			if !strings.HasPrefix(name, "small") {
				exchange(t, client, l.url(fmt.Sprintf("/?size=%d&framing=length", 16<<20)), 16<<20, "chunked")
				exchange(t, client, l.url(fmt.Sprintf("/?size=%d&framing=chunked", 16<<20)), 16<<20, "length")
			}
		})
	}
	if f := l.counters(); f.Errors != (lbcore.FrontendErrors{}) {
		t.Errorf("errors %+v", f.Errors)
	}
}

// smallBuffers dials with socket buffers of a few kilobytes.
func smallBuffers(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096)
		})
	}}
	return d.DialContext(ctx, network, addr)
}

// exchange posts a pattern and checks both hashes.
func exchange(t *testing.T, client *http.Client, url string, size int, framing string) {
	t.Helper()
	req, err := http.NewRequest("POST", url, pattern(size, 1))
	must(t, err)
	if framing == "length" {
		req.ContentLength = int64(size)
		if size == 0 {
			req.Body = http.NoBody
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s of %d: %v", framing, size, err)
	}
	defer resp.Body.Close()
	got, n := sha256.New(), int64(0)
	if n, err = io.Copy(got, resp.Body); err != nil {
		t.Fatalf("%s: body: %v after %d bytes", url, err, n)
	}
	if up := resp.Header.Get("X-Received"); up != sum(pattern(size, 1)) {
		t.Fatalf("%s (%s): the backend received something else", url, framing)
	}
	if hexSum(got) != sum(pattern(size, 2)) {
		t.Fatalf("%s (%s): the client received something else (%d bytes)", url, framing, n)
	}
}

func TestChunksOfAllSizesAreReframed(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", mirror)))
	c := l.dial()
	content, _ := io.ReadAll(pattern(100_000, 1))
	for round := range 5 {
		rng := rand.New(rand.NewPCG(1, uint64(round)))
		var wire bytes.Buffer
		fmt.Fprintf(&wire, "POST /?size=10&framing=length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for rest := content; len(rest) > 0; {
			n := min(1+rng.IntN(1<<rng.IntN(16)), len(rest))
			fmt.Fprintf(&wire, "%X;ext=\"1\"\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		wire.WriteString("0\r\nTrailer: dropped\r\n\r\n")
		go func(b []byte) { _, _ = c.Write(b) }(wire.Bytes())
		resp, _ := c.answer(t, "POST")
		if resp.Header.Get("X-Received") != sum(bytes.NewReader(content)) {
			t.Fatalf("round %d: the backend received something else", round)
		}
	}
}

func TestChunkedAndEndlessBodiesReachOldClients(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", mirror)))
	for _, framing := range []string{"length", "chunked", "close"} {
		c := l.dial()
		c.say("GET /?size=300000&framing=" + framing + " HTTP/1.0\r\n\r\n")
		resp, body := c.answer(t, "GET")
		if resp.TransferEncoding != nil || sum(strings.NewReader(body)) != sum(pattern(300_000, 2)) {
			t.Errorf("%s: encoding %v, %d bytes", framing, resp.TransferEncoding, len(body))
		}
	}
}

func TestSlowReaderStopsTheBackend(t *testing.T) {
	const size = 64 << 20
	l := newBed(t, one(httpBackend(t, "s1", mirror)))
	c := l.dial()
	c.say(fmt.Sprintf("GET /?size=%d&framing=length HTTP/1.1\r\nHost: x\r\n\r\n", size))
	last, same := uint64(0), 0
	eventually(t, "the flow stops", func() bool {
		n := l.poolState().Backends[0].Counters.BytesIn
		if n == last && n > 0 {
			same++
		} else {
			last, same = n, 0
		}
		return same > 50
	})
	if last > size/2 {
		t.Errorf("%d bytes were taken from the backend for a client that reads none", last)
	}
	if _, body := c.answer(t, "GET"); sum(strings.NewReader(body)) != sum(pattern(size, 2)) {
		t.Errorf("the client received something else")
	}
}

func TestSlowBackendStopsTheUploader(t *testing.T) {
	const size = 64 << 20
	release := make(chan bool)
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		<-release
		mirror(w, r)
	})))
	c := l.dial()
	go func() {
		c.say(fmt.Sprintf("POST /?size=1&framing=length HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
		_, _ = io.Copy(struct{ io.Writer }{c}, pattern(size, 1))
	}()
	last, same := uint64(0), 0
	eventually(t, "the flow stops", func() bool {
		n := l.counters().BytesIn
		if n == last && n > 0 {
			same++
		} else {
			last, same = n, 0
		}
		return same > 50
	})
	if last > size/2 {
		t.Errorf("%d bytes were taken from the client for a backend that reads none", last)
	}
	close(release)
	if resp, _ := c.answer(t, "POST"); resp.Header.Get("X-Received") != sum(pattern(size, 1)) {
		t.Errorf("the backend received something else")
	}
}
