package client

import (
	"strings"
	"testing"
)

func TestAnswerIsGoodOnlyWhenItIsWhole(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX-Served-By: web1\r\n"
	for _, tc := range []struct {
		name, bytes string
		eof         bool
		want        answer
	}{
		{"nothing yet", "", false, answer{}},
		{"nothing, and closed", "", true, answer{done: true, fail: Truncated}},
		{"half a head", "HTTP/1.1 200 O", false, answer{}},
		{"half a head, and closed", "HTTP/1.1 200 OK\r\nA: b", true, answer{done: true, fail: Truncated}},
		{"by length", head + "Content-Length: 2\r\n\r\nok", false, answer{done: true, code: 200, from: "web1"}},
		{"short by length", head + "Content-Length: 3\r\n\r\nok", false, answer{}},
		{"short by length, and closed", head + "Content-Length: 3\r\n\r\nok", true, answer{done: true, code: 200, fail: Truncated}},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, answer{done: true, code: 200, from: "web1"}},
		{"chunked without its end", head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false, answer{}},
		{"chunked without its end, and closed", head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", true, answer{done: true, code: 200, fail: Truncated}},
		{"broken chunk", head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", false, answer{done: true, code: 200, fail: Malformed}},
		{"until close, open", head + "\r\nok", false, answer{}},
		{"until close, closed", head + "\r\nok", true, answer{done: true, code: 200, from: "web1"}},
		{"unavailable", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", false, answer{done: true, code: 503, fail: Status}},
		{"redirect", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", false, answer{done: true, code: 302, fail: Status}},
		{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n", false, answer{done: true, fail: Malformed}},
		{"too much", head + "\r\n" + strings.Repeat("x", AnswerMax), false, answer{done: true, fail: Malformed}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := parse([]byte(tc.bytes), tc.eof, "X-Served-By"); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func FuzzParseNeverPanicsAndEndsAtTheEndOfTheStream(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		early := parse(b, false, "X-Served-By")
		late := parse(b, true, "X-Served-By")
		if !late.done {
			t.Fatalf("%q: not done at the end of the stream", b)
		}
		if early.done && early != late {
			t.Fatalf("%q: %+v, and at the end %+v", b, early, late)
		}
	})
}
