package lbcore_test

import (
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// RFC 9112, 9.3 and 6.3: what an HTTP/1.0 backend says, and what becomes of its
// connection.
func TestBackendsThatSpeakHTTP10(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		status       int
		reused       bool
	}{
		{"until the end", "HTTP/1.0 200 OK\r\n\r\nhello", 200, false},
		{"with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false},
		{"with a length, kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 200, true},
		{"kept without a length", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello", 200, false},
		{"kept without a body", "HTTP/1.0 204 No\r\nConnection: keep-alive\r\n\r\n", 204, true},
		{"chunked, which it cannot mean", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, false},
		{"with an upgrade, which it cannot mean", "HTTP/1.0 101 No\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 502, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
				for {
					if r, err := c.request(); err != nil || r.ProtoMinor != 1 {
						return
					}
					c.say(tc.answer)
					if !tc.reused {
						return // and end the connection
					}
				}
			})), longChecks, oneLoop)
			c := l.dial()
			for range 2 {
				c.say(get)
				resp, body := c.answer(t, "GET")
				if resp.StatusCode != tc.status || resp.Proto != "HTTP/1.1" || tc.status == 200 && body != "hello" {
					t.Fatalf("%s %s, body %q", resp.Proto, resp.Status, body)
				}
				if resp.Close {
					c = l.dial()
				}
			}
			if n := l.poolState().Backends[0].Counters; n.Reused > 0 != tc.reused {
				t.Errorf("%d requests on a kept connection, want any: %v", n.Reused, tc.reused)
			}
		})
	}
}

// RFC 9112, 9.3 and 9110, 15.2: an HTTP/1.0 client's connection ends with its
// answer unless it asks for more, and it never sees an interim answer.
func TestClientsThatSpeakHTTP10(t *testing.T) {
	l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		for {
			r, err := c.request()
			if err != nil {
				return
			}
			c.say("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
			if r.ProtoMinor == 1 && r.Header.Get("Connection") == "" {
				c.say(okAnswer)
			}
		}
	})), longChecks, oneLoop)
	c := l.dial()
	for range 2 {
		c.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		resp, body := c.answer(t, "GET")
		if resp.StatusCode != 200 || !strings.EqualFold(resp.Header.Get("Connection"), "keep-alive") || body != "ok" {
			t.Fatalf("%s, %v, body %q", resp.Status, resp.Header, body)
		}
	}
	c.say("GET / HTTP/1.0\r\n\r\n")
	if got := c.ended(t); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if n := l.counters(); n.Requests != 3 || n.Responses[1] != 3 || n.Errors != (lbcore.FrontendErrors{}) {
		t.Errorf("%+v", n)
	}
}
