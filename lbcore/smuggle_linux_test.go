package lbcore_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// recorder is a backend that keeps what each of its connections received, and
// answers whatever net/http takes for a request.
type recorder struct {
	lbcore.BackendConfig
	mu   sync.Mutex // protects what follows
	raw  []*bytes.Buffer
	open int64 // connections
}

func newRecorder(t testing.TB) *recorder {
	r := new(recorder)
	r.BackendConfig = rawBackend(t, "s1", func(_ int, c *rawConn) {
		buf := new(bytes.Buffer)
		r.mu.Lock()
		r.raw = append(r.raw, buf)
		r.open++
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			r.open--
			r.mu.Unlock()
		}()
		br := bufio.NewReader(io.TeeReader(c.r, lockedWriter{r, buf}))
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				c.say("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			c.say(okAnswer)
		}
	})
	return r
}

type lockedWriter struct {
	r *recorder
	w io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.w.Write(b)
}

// take waits until the proxy's exchanges have ended and all that they sent is
// here, returns what every connection has received, and forgets it.
func (r *recorder) take(l *bed) (out [][]byte) {
	eventually(l.t, "the exchange ends", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return l.Connections().Total == 0 && r.open == l.poolState().Backends[0].Counters.Conns
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.raw {
		if b.Len() > 0 {
			out = append(out, bytes.Clone(b.Bytes()))
		}
		b.Reset()
	}
	return out
}

// message is a request as a parser sees it.
type message struct{ Method, Target, Host, Body, From string }

// readByNetHTTP and readByOurs split what a backend received into requests, and
// return what is left.
func readByNetHTTP(raw []byte) (list []message, rest string) {
	br := bufio.NewReader(bytes.NewReader(raw))
	for {
		if _, err := br.Peek(1); err != nil {
			return list, ""
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return list, "head: " + err.Error()
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return list, "body: " + err.Error()
		}
		list = append(list, message{r.Method, r.RequestURI, r.Host, string(body), strings.Join(r.Header["X-Forwarded-For"], "|")})
	}
}

func readByOurs(raw []byte) (list []message, rest string) {
	for len(raw) > 0 {
		var r http1.Request
		n, err := r.Parse(raw, &http1.Limits{Head: http1.MaxHead, Fields: http1.MaxFields})
		if err != nil || n == 0 {
			return list, fmt.Sprintf("head: %v", err)
		}
		m := message{string(r.Method), string(r.Target), string(r.Host), "", string(r.Get("x-forwarded-for"))}
		var body http1.BodyReader
		body.Reset(r.Body, 0, false)
		for raw = raw[n:]; ; {
			data, n, done, err := body.Next(raw)
			m.Body += string(data)
			raw = raw[n:]
			if err != nil || !done && n == 0 {
				return list, fmt.Sprintf("body: %v", err)
			}
			if done {
				break
			}
		}
		list = append(list, m)
	}
	return list, ""
}

// mustBeOneReading fails if two of three parsers read differently what a backend
// received, or if one reads a request that is none of ours: those carry the
// address that we add. whole says that the client did not break off.
func mustBeOneReading(t *testing.T, sent string, raw []byte, whole bool) (n int) {
	t.Helper()
	theirs, restTheirs := readByNetHTTP(raw)
	ours, restOurs := readByOurs(raw)
	third, restThird := readByH11(t, raw)
	cut := strings.HasSuffix(restTheirs, "EOF") && strings.HasSuffix(restOurs, "<nil>") && restThird == "cut" // by the client, and not malformed
	if !slices.Equal(theirs, ours) || !slices.Equal(latin1(theirs), third) || restTheirs+restOurs+restThird != "" && (whole || !cut) {
		t.Fatalf("%q\nbecame %q\nread as %+v (%s)\nas      %+v (%s)\nand as  %+v (%s)", sent, raw, theirs, restTheirs, ours, restOurs, third, restThird)
	}
	for _, m := range theirs {
		if m.From != "127.0.0.1" {
			t.Fatalf("%q\nbecame %q\nin which %+v is no request of ours", sent, raw, m)
		}
	}
	return len(theirs)
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nX: "

// attacks are requests whose end two parsers could see in different places. Each
// is followed by more, which would become a request, or part of one.
func attacks() (list []string) {
	post := func(fields, body string) {
		list = append(list, "POST /attack HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n\r\n"+body)
	}
	chunked := "0\r\n\r\n" + smuggled
	for _, te := range []string{
		"Transfer-Encoding: chunked", "transfer-encoding: CHUNKED", "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked",
		"Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
		"Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding: chunked;q=1", "Transfer-Encoding: chunked\x00", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked\x0c",
		"Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "Transfer_Encoding: chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked",
		"X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\n", "Transfer-Encoding\x00: chunked",
		"Transfer-Encoding:", "Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding", "Transfer\xadEncoding: chunked", "Transfer-Encoding: chun\xc7ked",
	} {
		post(te, chunked)
		post("Content-Length: 5\r\n"+te, chunked)
		post(te+"\r\nContent-Length: 0", chunked)
	}
	for _, cl := range []string{
		"5", "+5", "-5", "5 ", "05", "0x5", "5, 5", "5,6", "5;", "5\x00", "5.0", "5e0", "\x0b5", "", " ", "9223372036854775807", "9223372036854775808",
		"18446744073709551621", "4294967301", "5\r\nContent-Length: 6", "5\r\nContent-Length: 5", "5\r\n ", "5\r\n\t1", "٥", "5_0", "1 0", "5\r\nContent_Length: 0",
		"5\r\nConnection: Content-Length", "5\r\nContent-Length : 0", "0\r\nContent-Length: 0", "5\n", "5\rX: y",
	} {
		post("Content-Length: "+cl, "12345"+smuggled)
	}
	for _, size := range []string{
		"5", "05", "0000000000000005", "00000000000000005", "+5", "-5", "0x5", " 5", "5 ", "5\t", "5;a", "5;a=b", "5;a=\"\r\n\"", "5;\n", "5;a\x00", "5\x00", "5\n", "5\r", "5\r\r",
		"100000005", "10000000000000005", "fffffffffffffffb", "5 5", "5,", "5g", "", ";", "5;" + strings.Repeat("x", 300), "\r\n5", "5_",
	} {
		post("Transfer-Encoding: chunked", size+"\r\nhello\r\n0\r\n\r\n"+smuggled)
	}
	for _, end := range []string{"\n", "\r", "", "x\r\n", "\r\r\n", " \r\n", "\x00\r\n"} {
		post("Transfer-Encoding: chunked", "5\r\nhello"+end+"0\r\n\r\n"+smuggled)
		post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"+end+smuggled)
		post("Transfer-Encoding: chunked", "5\r\nhello\r\n0"+end+"\r\n"+smuggled)
	}
	for _, trailer := range []string{"A: b", "Content-Length: 5", "Transfer-Encoding: chunked", "A", "A b: c", " A: b", "A: b\nB: c", "A: b\rB: c", ": b", "A: \x00"} {
		post("Transfer-Encoding: chunked\r\nTrailer: A", "5\r\nhello\r\n0\r\n"+trailer+"\r\n\r\n"+smuggled)
	}
	for _, head := range []string{
		"GET /attack HTTP/1.1\nHost: x\n\n", "GET /attack HTTP/1.1\r\nHost: x\r\n\n", "GET /attack HTTP/1.1\r\nHost: x\r\rX: y\r\n\r\n",
		"GET /attack HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x, y\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
		"GET http://y/attack HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://x@y/attack HTTP/1.1\r\nHost: x\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\n X: y\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\n\r\nX HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a\tHTTP/1.1\r\nHost: x\r\n\r\n", "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /attack HTTP/1.1 \r\nHost: x\r\n\r\n", "GET /attack HTTP/1.10\r\nHost: x\r\n\r\n", "GET /attack HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
		"GET /attack\r\n\r\n", "GET /attack HTTP/0.9\r\n\r\n", "\r\n\r\nGET /attack HTTP/1.1\r\nHost: x\r\n\r\n", "GET /attack\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%0d%0aX:y HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
		"GET /attack HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n12345", "HEAD /attack HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345",
		"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nConnection: Host\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: X-Forwarded-For\r\n\r\n",
		"GET /attack HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n", "GET /attack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		list = append(list, head+smuggled, head+get)
	}
	return list
}

// RFC 9112, 11.2: whatever gets through is read in one way only.
func TestNothingThatTwoParsersReadDifferentlyReachesABackend(t *testing.T) {
	r := newRecorder(t)
	l := newBed(t, one(r.BackendConfig), longChecks, oneLoop)
	list, through := attacks(), 0
	for _, attack := range list {
		c := l.dial()
		c.say(attack)
		must(t, c.CloseWrite())
		_, _ = io.Copy(io.Discard, c.r)
		c.Close()
		for _, raw := range r.take(l) {
			through += mustBeOneReading(t, attack, raw, !bytes.Contains(raw, []byte("POST")))
		}
	}
	if len(list) < 150 || through < 20 {
		t.Errorf("%d attacks, %d requests got through: the test proves little", len(list), through)
	}
	t.Logf("%d attacks, %d requests reached the backend", len(list), through)
}

// FuzzForwarding: the same for whatever bytes a client sends.
func FuzzForwarding(f *testing.F) {
	for _, a := range attacks() {
		f.Add([]byte(a))
	}
	f.Add([]byte(get + post(5) + get))
	f.Add([]byte("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n" + get))
	r := newRecorder(f)
	l := newBed(f, one(r.BackendConfig), longChecks, oneLoop, func(_ *lbcore.Config, fe *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		fe.Timeouts.HalfClose, fe.Timeouts.Client, p.Timeouts.Server = time.Second, time.Second, time.Second
	})
	f.Fuzz(func(t *testing.T, in []byte) {
		l.t = t
		c := l.dial()
		defer c.Close()
		_, _ = c.Write(in)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c.r)
		c.Close()
		for _, raw := range r.take(l) {
			mustBeOneReading(t, string(in), raw, false)
		}
	})
}
