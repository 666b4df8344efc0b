package h2

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// FuzzServer has a client say anything. Nothing may panic, grow without bound, or become text that package http1 takes for
// two messages.
func FuzzServer(f *testing.F) {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(append(get, "x", "y")), EndHeaders: true})
	_ = fr.WriteData(1, false, []byte("abc"))
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode([]string{"end", "yes"}), EndHeaders: true, EndStream: true})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: encode(get)[:3]})
	_ = fr.WriteContinuation(3, true, encode(get)[3:])
	_ = fr.WriteWindowUpdate(1, 5)
	_ = fr.WritePing(false, [8]byte{})
	_ = fr.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	f.Add(b.Bytes(), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		c := New(Config{Server: true, MaxStreams: 5, StreamWindow: 65535, ConnWindow: 65535, HeaderList: 2048})
		texts := map[*Stream][]byte{}
		buf := make([]byte, 20+int(step))
		for i := 0; ; i++ {
			n, s, err := c.Next(0, in)
			in = in[n:]
			if s != nil && len(texts[s]) < 1<<16 {
				for k := s.Read(buf); k > 0; k = s.Read(buf) {
					texts[s] = append(texts[s], buf[:k]...)
				}
				if i%int(step%7+1) == 0 {
					_, _ = s.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabcdefghijklmnopqrstuvwxyz0123"))
				}
				if i%int(step%5+2) == 0 {
					s.Close(http2.ErrCodeCancel)
				}
			}
			if len(c.streams) > 5 || len(c.Out) > 2*outMax+len(in) {
				t.Fatalf("%d streams, %d bytes to send", len(c.streams), len(c.Out))
			}
			for c.Writable() != nil {
				c.Out = c.Out[:0]
			}
			if err != nil || n == 0 {
				break
			}
		}
		for _, text := range texts {
			one(t, text)
		}
	})
}

// one wants text to be at most one request, for package http1, and all of it.
func one(t *testing.T, text []byte) {
	var r http1.Request
	n, err := r.Parse(text, nil)
	if err != nil || n == 0 {
		return // refused, or not whole
	}
	var body http1.BodyReader
	body.Reset(r.Body, 0, false)
	for rest := text[n:]; ; {
		_, k, done, err := body.Next(rest)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		rest = rest[k:]
		if done && len(rest) > 0 {
			t.Fatalf("%q holds more than a message", text)
		}
		if k == 0 {
			return
		}
	}
}

// FuzzText has the translators take any fields.
func FuzzText(f *testing.F) {
	f.Add("GET", "/", "a", "x", "y", "content-length", "3", false)
	f.Add("HEAD", "*", "a:80", "cookie", "a=b", "host", "a", true)
	f.Fuzz(func(t *testing.T, method, path, authority, n1, v1, n2, v2 string, ended bool) {
		text, _, reason := requestText(nil, fieldsOf([]string{":method", method, ":scheme", "https", ":path", path, ":authority", authority, n1, v1, n2, v2}), ended)
		if reason == "" {
			whole(t, text)
		}
		text, _, reason = responseText(nil, fieldsOf([]string{":status", method, n1, v1, n2, v2}), ended, false)
		if reason == "" {
			whole(t, text)
		}
	})
}

// whole wants text to end where its head does: what is in a field cannot end it.
func whole(t *testing.T, text []byte) {
	if i := bytes.Index(text, []byte("\r\n\r\n")); i != len(text)-4 {
		t.Fatalf("%q ends at %d", text, i)
	}
	for line := range bytes.SplitSeq(text[:len(text)-2], []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line %q", line)
		}
	}
}
