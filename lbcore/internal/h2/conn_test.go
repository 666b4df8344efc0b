package h2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pair is a client and a server that speak to each other.
type pair struct {
	t              *testing.T
	client, server *Conn
	now            time.Duration
	changed        []*Stream // of the server's, then of the client's
}

func newPair(t *testing.T) *pair {
	p := &pair{
		t:      t,
		client: New(Config{StreamWindow: 65535, ConnWindow: 1 << 20, HeaderList: 16 << 10}),
		server: New(Config{Server: true, MaxStreams: 10, StreamWindow: 65535, ConnWindow: 100_000, HeaderList: 16 << 10}),
	}
	p.exchange()
	return p
}

// exchange lets everything that waits reach the other side.
func (p *pair) exchange() {
	p.t.Helper()
	for len(p.client.Out)+len(p.server.Out) > 0 {
		for _, d := range []struct{ from, to *Conn }{{p.client, p.server}, {p.server, p.client}} {
			in := d.from.Out
			d.from.Out = nil
			for len(in) > 0 {
				n, s, err := d.to.Next(p.now, in)
				if err != nil {
					p.t.Fatalf("%v", err)
				}
				if n == 0 {
					p.t.Fatalf("%d bytes of a frame that is not whole: %q", len(in), in)
				}
				if s != nil {
					p.changed = append(p.changed, s)
				}
				in = in[n:]
			}
		}
	}
}

// read takes all that a stream has to say now.
func read(s *Stream) string {
	var all []byte
	buf := make([]byte, 100)
	for {
		n := s.Read(buf)
		if n == 0 {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

func (p *pair) write(s *Stream, text string) (rest string) {
	p.t.Helper()
	n, ok := s.Write([]byte(text))
	if !ok {
		p.t.Fatalf("does not take %q", text)
	}
	return text[n:]
}

// RFC 9113, 8.3: a request and its answer, with trailers both ways, come out as they went in.
func TestMessagesComeThrough(t *testing.T) {
	p := newPair(t)
	c := p.client.Open()
	p.write(c, "POST /a?b HTTP/1.1\r\nHost: example.com\r\nCookie: x=1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nEnd: yes\r\n\r\n")
	p.exchange()
	s := p.changed[0]
	want := "POST /a?b HTTP/1.1\r\nhost: example.com\r\ncookie: x=1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nend: yes\r\n\r\n"
	if got := read(s); got != want {
		t.Errorf("request %q, want %q", got, want)
	}
	p.write(s, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
	p.write(s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\nConnection: close\r\n\r\n")
	p.write(s, "hello")
	p.exchange()
	want = "HTTP/1.1 103 \r\nlink: </x>\r\n\r\nHTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello"
	if got := read(c); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	if p.client.Streams()+p.server.Streams() != 0 {
		t.Errorf("%d and %d streams are open", p.client.Streams(), p.server.Streams())
	}
}

func TestAnswerWithTrailersOnly(t *testing.T) {
	p := newPair(t)
	c := p.client.Open()
	p.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	p.exchange()
	p.write(p.changed[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 7\r\n\r\n")
	p.exchange()
	if got, want := read(c), "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n0\r\ngrpc-status: 7\r\n\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// RFC 9113, 5.2: nobody sends more than the windows, and they open when the bytes have gone on.
func TestWindowsOpenAsBytesGoOn(t *testing.T) {
	p := newPair(t)
	c := p.client.Open()
	const size = 300_000
	rest := p.write(c, fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	rest += strings.Repeat("x", size)
	taken := 0
	for taken < size {
		before := len(rest)
		for p.client.Writable() != nil || before == size {
			rest = p.write(c, rest)
			p.exchange()
			if before == size {
				break
			}
		}
		s := p.changed[0]
		if held := len(s.src.body) - s.src.off; held > 65535 {
			t.Fatalf("%d bytes are held", held)
		}
		got := read(s)
		if _, body, ok := strings.Cut(got, "\r\n\r\n"); ok {
			got = body
		}
		taken += len(got)
		p.exchange()
		if len(rest) == before && got == "" {
			t.Fatalf("stands still with %d taken and %d to be written", taken, len(rest))
		}
	}
	if rest != "" || taken != size {
		t.Errorf("%d taken, %d left", taken, len(rest))
	}
}

func TestWhoCostsTooMuchIsSentAway(t *testing.T) {
	for kind, frames := range map[string]func(*http2.Framer, uint32){
		"resets": func(f *http2.Framer, i uint32) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: encode(get), EndHeaders: true, EndStream: true})
			_ = f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
		"frames": func(f *http2.Framer, i uint32) { _ = f.WritePing(false, [8]byte{byte(i)}) },
		"headers": func(f *http2.Framer, i uint32) {
			if i == 0 {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: nil, EndStream: true})
			}
			_ = f.WriteContinuation(1, false, nil)
		},
	} {
		c := New(Config{Server: true, MaxStreams: 10, StreamWindow: 65535, ConnWindow: 65535, HeaderList: 16 << 10})
		var in bytes.Buffer
		in.WriteString(http2.ClientPreface)
		f := http2.NewFramer(&in, nil)
		_ = f.WriteSettings()
		for i := range uint32(5000) {
			frames(f, i)
		}
		var err *Error
		for b := in.Bytes(); len(b) > 0 && err == nil; {
			var n int
			n, _, err = c.Next(0, b)
			b = b[n:]
			c.Out = c.Out[:0]
		}
		if err == nil || err.Code != http2.ErrCodeEnhanceYourCalm || err.Flood != kind {
			t.Errorf("%s: %+v", kind, err)
		}
	}
}

// What was on its way when we said that we go is still served; then the last stream is named, and later ones are not heard.
func TestLeavingLosesNothing(t *testing.T) {
	p := newPair(t)
	a := p.client.Open()
	p.write(a, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n") // is on its way
	p.server.BeginLeaving()
	p.exchange()
	if !p.client.Gone() || p.client.CanOpen() {
		t.Error("the client does not know")
	}
	if p.server.Over() || !p.server.left {
		t.Errorf("over %v, left %v", p.server.Over(), p.server.left)
	}
	p.write(p.changed[0], "HTTP/1.1 204 No Content\r\n\r\n")
	p.exchange()
	if got := read(a); got != "HTTP/1.1 204 \r\n\r\n" {
		t.Errorf("answer %q", got)
	}
	if !p.server.Over() {
		t.Error("is not over")
	}
}

// get is a request's fields.
var get = []string{":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/"}

func encode(fields []string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// RFC 9113, 8.1.1: a malformed request is a stream error, and never becomes text.
func TestMalformedRequestsAreRefused(t *testing.T) {
	for _, more := range [][]string{
		{"Upper", "x"},
		{"a b", "x"},
		{"", "x"},
		{"a:", "x"},
		{"x", "a\r\nb: c"},
		{"x", "a\x00"},
		{"x", " a"},
		{"x", "a\t"},
		{"connection", "close"},
		{"transfer-encoding", "chunked"},
		{"upgrade", "h2c"},
		{"keep-alive", "x"},
		{"proxy-connection", "x"},
		{"te", "gzip"},
		{":path", "/x"},
		{":status", "200"},
		{":protocol", "websocket"},
		{"host", "b"},
		{"content-length", "1"},
		{"content-length", "x"},
		{"content-length", "+0"},
		{"content-length", ""},
		{"content-length", "0", "content-length", "0"},
	} {
		if text, _, reason := requestText(nil, fieldsOf(append(get[:len(get):len(get)], more...)), true); reason == "" {
			t.Errorf("%q becomes %q", more, text)
		}
	}
	for _, all := range [][]string{
		{":method", "GET"},
		{":method", "GET", ":scheme", "https", ":path", ""},
		{":method", "GET", ":scheme", "ftp", ":path", "/"},
		{":method", "GET", ":scheme", "https", ":path", "http://a/"},
		{":method", "GET /x", ":scheme", "https", ":path", "/"},
		{":method", "GET", ":scheme", "https", ":path", "/ HTTP/1.1\r\nx:"},
		{":method", "CONNECT", ":scheme", "https", ":path", "/", ":authority", "a"},
		{"x", "y", ":method", "GET", ":scheme", "https", ":path", "/"},
	} {
		if text, _, reason := requestText(nil, fieldsOf(all), true); reason == "" {
			t.Errorf("%q becomes %q", all, text)
		}
	}
}

func fieldsOf(list []string) (fields []hpack.HeaderField) {
	for i := 0; i < len(list); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return fields
}

func TestCookiesBecomeOneField(t *testing.T) {
	text, _, reason := requestText(nil, fieldsOf(append(get[:len(get):len(get)], "cookie", "a=1", "x", "y", "cookie", "b=2")), true)
	if want := "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: a=1; b=2\r\n\r\n"; string(text) != want || reason != "" {
		t.Errorf("%q %s, want %q", text, reason, want)
	}
}

// A body must be as long as Content-Length says (RFC 9113, 8.1.1).
func TestBodiesOfWrongLengthAreRefused(t *testing.T) {
	for _, lengths := range [][]int{{4}, {2}, {1, 1}, {2, 2}} {
		var s source
		s.begin(nil, message{length: 3}, false)
		ok := true
		for i, n := range lengths {
			ok = ok && s.add(make([]byte, n), i == len(lengths)-1)
		}
		if ok {
			t.Errorf("%v bytes in place of 3 are taken", lengths)
		}
	}
}
