package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// ask puts a question within a time that is long enough on a busy machine.
func ask(t *testing.T, q Question, addr netip.AddrPort, cfg *tls.Config) error {
	t.Helper()
	a, err := New(q)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return a.Ask(ctx, addr, cfg)
}

// said checks what came of a question: well ("": it is well), or words in the reason.
func said(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want == "":
	case err == nil || want == "" || !strings.Contains(err.Error(), want):
		t.Errorf("%s: %v, want %q", name, err, want)
	case Reason(err) != err.Error():
		t.Errorf("%s: is shown as %q, and says %q", name, Reason(err), err)
	}
}

func addrOf(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }

// echo answers with what it was asked: the status, and a body that tells the rest.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	status := 200
	_, _ = fmt.Sscanf(r.URL.Query().Get("status"), "%d", &status)
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s %s %s host=%s x=%s agent=%s sent=%q\n", r.Proto, r.Method, r.URL.RequestURI(), r.Host, r.Header.Get("X-Test"), r.UserAgent(), body)
	if n := r.URL.Query().Get("more"); n != "" {
		size := 0
		_, _ = fmt.Sscanf(n, "%d", &size)
		_, _ = io.WriteString(w, strings.Repeat("x", size)+"the end")
	}
}

func TestHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(echo))
	defer plain.Close()
	h2c := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	defer h2c.Close()
	for _, tc := range []struct {
		name string
		q    Question
		want string
	}{
		{"the default is GET / and 200-399", Question{Expect: "GET / host="}, ""},
		{"a status at the edge", Question{Path: "/?status=399"}, ""},
		{"a status beyond", Question{Path: "/?status=400"}, "GET /?status=400: status 400 Bad Request, want 200-399"},
		{"a status without a name", Question{Path: "/?status=599"}, "status 599, want"},
		{"several ranges", Question{Path: "/?status=401", Status: Statuses{{200, 299}, {401, 401}}}, ""},
		{"between them", Question{Path: "/?status=302", Status: Statuses{{200, 299}, {401, 401}}}, "status 302 Found, want 200-299,401"},
		{"no content", Question{Path: "/?status=204", Expect: "x"}, "the body lacks \"x\": it is empty"},
		{"HEAD", Question{Method: "HEAD", Path: "/?status=503"}, "HEAD /?status=503: status 503 Service Unavailable"},
		{"HEAD, well", Question{Method: "HEAD"}, ""},
		{"OPTIONS, with a host", Question{Method: "OPTIONS", Host: "www.example", Expect: "OPTIONS / host=www.example "}, ""},
		{"POST with a body", Question{Method: "POST", Path: "/a%20b?c=d", Send: "hello", Expect: `POST /a%20b?c=d host=`, Pattern: `sent="hello"\n$`}, ""},
		{"POST without one", Question{Method: "POST", Expect: `sent=""`}, ""},
		{"headers", Question{Headers: [][2]string{{"X-Test", "yes"}}, Expect: "x=yes agent=tandem-check"}, ""},
		{"its own agent", Question{Headers: [][2]string{{"User-Agent", "mine"}}, Expect: "agent=tandem-check"}, ""},
		{"another body", Question{Expect: "ready"}, `GET /: the body lacks "ready": it is "HTTP`},
		{"a pattern that does not match", Question{Pattern: "^ready"}, `the body does not match "^ready": it is "HTTP`},
		{"text at the end of many bytes", Question{Path: "/?more=100000", ExpectBytes: 1 << 20, Pattern: "the end$"}, ""},
		{"text beyond what is looked at", Question{Path: "/?more=100000", Expect: "the end"}, `the body lacks "the end" in its first 16384 bytes: it begins with "HTTP`},
	} {
		for _, http2 := range []bool{false, true} {
			q, addr, name := tc.q, addrOf(plain.Listener.Addr()), tc.name
			if q.Kind, q.HTTP2 = HTTP, http2; http2 {
				addr, name = addrOf(h2c.Listener.Addr()), name+", HTTP/2"
				if q.Expect != "" && !strings.Contains(tc.want, "lacks") {
					q.Expect = strings.TrimPrefix(q.Expect, "HTTP/1.1 ")
				}
			}
			said(t, name, ask(t, q, addr, nil), tc.want)
		}
	}
	said(t, "a port of its own", ask(t, Question{Kind: HTTP, Port: addrOf(plain.Listener.Addr()).Port()}, netip.MustParseAddrPort("127.0.0.1:1"), nil), "")
	said(t, "HTTP/1.1 where HTTP/2 is spoken", ask(t, Question{Kind: HTTP}, addrOf(h2c.Listener.Addr()), nil), "no answer")
	said(t, "HTTP/2 where HTTP/1.1 is spoken", ask(t, Question{Kind: HTTP, HTTP2: true}, addrOf(plain.Listener.Addr()), nil), "no answer")
}

// raw says something to each connection, and then reads until the other side closes; hold has
// it say nothing more but keep the connection.
func raw(t *testing.T, answer string, hold bool) netip.AddrPort {
	t.Helper()
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
			if !hold {
				_ = c.(*net.TCPConn).CloseWrite()
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	return addrOf(ln.Addr())
}

func TestWhatIsNotWellIsSaidInWords(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := addrOf(closed.Addr())
	closed.Close()
	const ok = "HTTP/1.1 200 OK\r\n"
	get := Question{Kind: HTTP}
	for _, tc := range []struct {
		name string
		q    Question
		addr netip.AddrPort
		want string
		said bool // by itself
	}{
		{"refused", Question{}, nobody, "no connection: connection refused", false},
		{"refused elsewhere", Question{Kind: HTTP, Port: nobody.Port()}, netip.MustParseAddrPort("127.0.0.1:1"), fmt.Sprintf("no connection to port %d: connection refused", nobody.Port()), false},
		{"no answer", get, raw(t, "", true), "GET /: no answer: too late", false},
		{"half an answer", get, raw(t, "HTTP/1.1 200", true), "no answer: too late", false},
		{"closed", get, raw(t, "", false), "no answer: the connection ended", false},
		{"no HTTP", get, raw(t, "SSH-2.0-OpenSSH\r\n\r\n", false), "no answer: malformed HTTP", false},
		{"an endless head", get, raw(t, ok+"A: "+strings.Repeat("x", 200_000), false), "the head does not", false},
		{"interim answers without end", get, raw(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20), false), "too many interim", false},
		{"an interim answer first", get, raw(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true), "", false},
		{"a body without end", Question{Kind: HTTP, Expect: "x"}, raw(t, ok+"\r\nsome", true), "the body does not end: too late", false},
		{"a body that nobody looks at", get, raw(t, ok+"\r\nsome", true), "", false},
		{"a body that is cut", Question{Kind: HTTP, Expect: "some"}, raw(t, ok+"Content-Length: 9\r\n\r\nsome", false), "the body does not end", false},
		{"bytes that no terminal should see", Question{Kind: HTTP, Expect: "x"}, raw(t, ok+"\r\n\x1b[2J\xff\n", false), `it is "\x1b[2J\xff\n"`, true},
		{"a wrong status", get, raw(t, "HTTP/1.1 500 \x1b[2J\r\n\r\n", false), "status 500 Internal Server Error", true},
		{"TCP, and no answer", Question{Expect: "+PONG"}, raw(t, "", true), "no answer: too late", false},
		{"TCP, and the wrong one", Question{Expect: "+PONG"}, raw(t, "-LOADING", true), `the answer lacks "+PONG": it is "-LOADING"`, true},
		{"TCP, and the wrong one at once", Question{Expect: "+PONG"}, raw(t, "-LOADING", false), `the answer lacks "+PONG": it is "-LOADING"`, true},
		{"TCP, and too much of it", Question{Pattern: "^$", ExpectBytes: 10}, raw(t, strings.Repeat("y", 100), true), `does not match "^$" in its first 10 bytes: it begins with "yyyyyyyyyy"`, true},
		{"TCP, and the right one", Question{Send: "PING\r\n", Expect: "+PONG", Pattern: `\r\n$`}, raw(t, "+PONG\r\n", true), "", false},
	} {
		a, err := New(tc.q)
		if err != nil {
			t.Fatal(err)
		}
		limit := 20 * time.Second
		if strings.Contains(tc.want, "too late") || tc.name == "TCP, and the wrong one" {
			limit = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("too late"))
		err = a.Ask(ctx, tc.addr, nil)
		cancel()
		said(t, tc.name, err, tc.want)
		if own := (*Unwell)(nil); errors.As(err, &own) != tc.said {
			t.Errorf("%s: said by itself: %v", tc.name, !tc.said)
		}
	}
}

func TestReasonIsOneCleanLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2J\r\n b\xff\u202e": "a [2J b",
		strings.Repeat("ä", 200):   strings.Repeat("ä", 118) + "…",
		"":                         "",
	} {
		if got := Reason(errors.New(in)); got != want || len(got) > maxReason {
			t.Errorf("%q: %q (%d bytes), want %q", in, got, len(got), want)
		}
	}
}

// Whatever is expected, and whatever comes: what is said of it is one short, clean line.
func FuzzWhatIsSaidOfAnAnswer(f *testing.F) {
	f.Add("ready", "", []byte("\x1b[2Jstarting\n"))
	f.Add("", "^ok$", []byte(strings.Repeat("\xff\x80", 100)))
	f.Add("ä", "(?i)Ä", []byte(strings.Repeat("ä", 100)))
	f.Fuzz(func(t *testing.T, expect, pattern string, answer []byte) {
		a, err := New(Question{Expect: expect, Pattern: pattern, ExpectBytes: 64})
		if err != nil {
			return
		}
		lacks := a.lacks(answer)
		if !strings.Contains(string(answer), expect) && lacks == "" {
			t.Errorf("%q lacks %q, and is good", answer, expect)
		}
		said := Reason(unwell("the body %s", lacks))
		if len(said) > maxReason || !utf8.ValidString(said) || strings.ContainsFunc(said, unicode.IsControl) {
			t.Errorf("%q", said)
		}
	})
}

func TestAQuestionIsRefused(t *testing.T) {
	_, err := New(Question{
		Kind: "icmp", Method: "CONNECT", Path: "x y", Host: "a b", Status: append(make(Statuses, 16), [2]int{300, 200}), Pattern: "(",
		Headers: make([][2]string, 33), Send: strings.Repeat("x", 4097), Expect: strings.Repeat("x", 1025), ExpectBytes: -1, Service: strings.Repeat("x", 257),
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range []string{"icmp", "CONNECT", "x y", "a b", "300 to 200", "pattern", "17 ranges", "33 headers", "4097 bytes to send", "1025 bytes to expect", "-1 bytes to look", "257 bytes of a service"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in\n%v", w, err)
		}
	}
	if _, err := New(Question{Path: "/%zz"}); err == nil {
		t.Error("a path that is none is taken")
	}
}
