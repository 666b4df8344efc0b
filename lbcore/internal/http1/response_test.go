package http1

import (
	"fmt"
	"strings"
	"testing"
)

func answer(lines string) string { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" }

var badResponses = []struct{ section, in, reason string }{
	{"2.2", "\r\nHTTP/1.1 200 OK\r\n\r\n", "status-line"},
	{"2.2", "HTTP/1.1 200 OK\n\n", "bare-lf"},
	{"2.2", "HTTP/1.1 200 OK\rX\r\n\r\n", "bare-cr"},
	{"2.2", "HTTP/1.1 200\n", "status-line"},
	{"2.2", "HTTP/1.1 200\rX", "bare-cr"},
	{"2.2", answer("A: b\n"), "bare-lf"},
	{"2.2", answer("A: b\rc\r\n"), "bare-cr"},
	{"2.2", answer(" A: b\r\n"), "obs-fold"},
	{"2.3", "HTTP/2.0 200 OK\r\n\r\n", "status-line"},
	{"2.3", "HTTP/1.2 200 OK\r\n\r\n", "version-unsupported"},
	{"2.3", "HTTP/1.x 200 OK\r\n\r\n", "status-line"},
	{"2.3", "http/1.1 200 OK\r\n\r\n", "status-line"},
	{"2.3", "ICY 200 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1  200 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1\t200 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 20 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 2000 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 +20 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 2x0 OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 200\tOK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 200OK\r\n\r\n", "status-line"},
	{"4", "HTTP/1.1 200 O\x00K\r\n\r\n", "control-byte"},
	{"9110 15", "HTTP/1.1 099 OK\r\n\r\n", "status-code"},
	{"9110 15", "HTTP/1.1 000 OK\r\n\r\n", "status-code"},
	{"9110 15.2.2", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "switching-protocols"},
	{"9110 15.2.2 not in Connection", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "switching-protocols"},
	{"9110 15.2.2 no protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", "switching-protocols"},
	{"9110 15.2.2 not asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket, bar\r\n\r\n", "switching-protocols"},
	{"9110 15.2.2 other version", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo/1\r\n\r\n", "switching-protocols"},
	{"9110 15.2.2 two lines", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n", "switching-protocols"},
	{"9110 7.8 HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "switching-protocols"},
	{"9110 8.6 101 with content", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n", "switching-protocols"},
	{"6.1 101 chunked", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n", "switching-protocols"},
	{"4", "<html>\r\n", "status-line"},
	{"5.1", answer("A : b\r\n"), "space-before-colon"},
	{"5.1", answer("Content-Length : 5\r\n"), "space-before-colon"},
	{"5.1", answer("A\r\n"), "bare-cr"},
	{"5", answer(": b\r\n"), "field-name-empty"},
	{"5.2", answer("A: b\r\n c\r\n"), "obs-fold"},
	{"9110 5.1", answer("A@B: c\r\n"), "field-name"},
	{"9110 5.5", answer("A: b\x00\r\n"), "control-byte"},
	{"9110 5.5", answer("A: \x1b[2J\r\n"), "control-byte"},
	{"6.1", answer("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "cl-and-te"},
	{"6.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "te-in-1.0"},
	{"6.1", answer("Transfer-Encoding: gzip, chunked\r\n"), "te-unsupported"},
	{"6.1", answer("Transfer-Encoding: identity\r\n"), "te-unsupported"},
	{"6.3", answer("Transfer-Encoding: chunked, gzip\r\n"), "te"},
	{"6.1", answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "te-twice"},
	{"6.3", answer("Content-Length: 5\r\nContent-Length: 5\r\n"), "cl-twice"},
	{"6.3", answer("Content-Length: 5, 5\r\n"), "cl"},
	{"6.3", answer("Content-Length: -5\r\n"), "cl"},
	{"6.3", answer("Content-Length: 9223372036854775808\r\n"), "cl"},
	{"9110 7.6.1", answer("Connection: a b\r\n"), "connection"},
	{"9110 5.4", answer(strings.Repeat("A: b\r\n", DefaultFields+1)), "too-many-fields"},
	{"9110 5.4", answer("A: " + strings.Repeat("b", DefaultHead) + "\r\n"), "head-too-large"},
	{"4", "HTTP/1.1 200 " + strings.Repeat("x", DefaultLine), "line-too-long"},
}

func TestResponsesThatMustBeRefusedAreBadGateways(t *testing.T) {
	for i, c := range badResponses {
		t.Run(fmt.Sprintf("%02d %s %s", i, c.section, c.reason), func(t *testing.T) {
			got := parseResponse(t, c.in, nil, false)
			if got.Reason != c.reason || got.ErrorStatus != 502 {
				t.Errorf("%.200q: got %d %q, want 502 %q", c.in, got.ErrorStatus, got.Reason, c.reason)
			}
		})
	}
}

func TestResponsesThatMustBeUnderstood(t *testing.T) {
	untilClose := Body{Kind: UntilClose}
	for i, c := range []struct {
		section string
		in      string
		head    bool // answers a HEAD
		status  int
		body    Body
		length  int64
		keep    bool
	}{
		{"4", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, Body{Length, 5}, 5, true},
		{"4 empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, 200, Body{Length, 0}, 0, true},
		{"4 no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, 200, Body{Length, 0}, 0, true},
		{"4 obs-text", "HTTP/1.1 200 d\xe9j\xe0\tvu\r\nContent-Length: 0\r\n\r\n", false, 200, Body{Length, 0}, 0, true},
		{"9110 15 beyond 599", "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", false, 999, Body{Length, 0}, 0, true},
		{"6.3 chunked", answer("transfer-encoding: Chunked\r\n"), false, 200, Body{Kind: Chunked}, -1, true},
		{"6.3 until close", answer(""), false, 200, untilClose, -1, false},
		{"6.3 until close, whatever Connection says", answer("Connection: keep-alive\r\n"), false, 200, untilClose, -1, false},
		{"6.3 HEAD", answer("Content-Length: 5\r\n"), true, 200, Body{}, 5, true},
		{"6.3 HEAD without length", answer(""), true, 200, Body{}, -1, true},
		{"6.3 HEAD chunked", answer("Transfer-Encoding: chunked\r\n"), true, 200, Body{}, -1, true},
		{"6.3 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, Body{}, 5, true},
		{"6.3 204", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, Body{}, -1, true},
		{"9110 8.6 204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204, Body{}, 0, true},
		{"9110 8.6 204 with content", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, 204, Body{}, 5, false},
		{"6.1 204 chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false, 204, Body{}, -1, false},
		{"9110 15.2 100", Continue, false, 100, Body{}, -1, true},
		{"8297 103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false, 103, Body{}, -1, true},
		{"9.3 close", answer("Content-Length: 5\r\nConnection: close\r\n"), false, 200, Body{Length, 5}, 5, false},
		{"9.3 HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, Body{Length, 5}, 5, false},
		{"9.3 HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", false, 200, Body{Length, 5}, 5, true},
		{"9110 5 odd fields are the backend's affair", answer("Host: a\r\nHost: b\r\nDate: x\r\nDate: y\r\nContent_Length: 7\r\nContent-Length: 0\r\n"), false, 200, Body{Length, 0}, 0, true},
	} {
		t.Run(fmt.Sprintf("%02d %s", i, c.section), func(t *testing.T) {
			got := parseResponse(t, c.in, nil, c.head)
			if got.Reason != "" || got.N != len(c.in) || got.Status != c.status || got.Body != c.body ||
				got.ContentLength != c.length || got.KeepAlive != c.keep || got.Interim != (c.status < 200) {
				t.Errorf("%q: got %+v", c.in, got)
			}
		})
	}
}

func TestA101SwitchesToWhatWasAskedFor(t *testing.T) {
	const in = "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	got := parseResponse(t, in, nil, false)
	if got.Reason != "" || got.N != len(in) || got.Upgrade != "websocket" || got.Interim || got.Body != (Body{}) {
		t.Errorf("got %+v", got)
	}
	var r Response
	if _, err := r.Parse([]byte(in), nil, Asked{}); err == nil || err.Status != 502 {
		t.Errorf("not asked for: %v, want a 502", err)
	}
}

func TestBodiesAreFramedForTheClientsVersion(t *testing.T) {
	for _, c := range []struct {
		from  Body
		minor int
		to    Body
	}{
		{Body{Length, 5}, 1, Body{Length, 5}},
		{Body{Length, 5}, 0, Body{Length, 5}},
		{Body{}, 1, Body{}},
		{Body{}, 0, Body{}},
		{Body{Kind: Chunked}, 1, Body{Kind: Chunked}},
		{Body{Kind: Chunked}, 0, Body{Kind: UntilClose}},
		{Body{Kind: UntilClose}, 1, Body{Kind: Chunked}},
		{Body{Kind: UntilClose}, 0, Body{Kind: UntilClose}},
	} {
		p := Reply{Minor: c.minor, KeepAlive: true}
		if got := p.Framing(&Response{Body: c.from}); got != c.to {
			t.Errorf("%+v for HTTP/1.%d: got %+v, want %+v", c.from, c.minor, got, c.to)
		}
	}
}
