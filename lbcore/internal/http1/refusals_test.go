package http1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const host = "Host: a\r\n"

// get is a request with the given lines behind a good request line and Host.
func get(lines string) string { return "GET / HTTP/1.1\r\n" + host + lines + "\r\n" }

// target is a request with that target.
func target(s string) string { return "GET " + s + " HTTP/1.1\r\n" + host + "\r\n" }

// refusals names for each request the section that condemns it, the answer and our name for the reason.
var refusals = []struct {
	section string // of RFC 9112 if no other is named; "ours" where we are stricter than the RFC asks
	in      string
	status  int
	reason  string
}{
	// 2.2 Message parsing
	{"2.2", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "empty-line"},
	{"2.2", "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "empty-line"},
	{"2.2", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare-lf"},
	{"2.2", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare-cr"},
	{"2.2", "GET / HTTP/1.1\nHost: a\n\n", 400, "version"},
	{"2.2", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare-lf"},
	{"2.2", "GET / HTTP/1.1\r\nHost: a\n\n", 400, "bare-lf"},
	{"2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare-lf"},
	{"2.2", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400, "bare-cr"},
	{"2.2", get("A: b\rc\r\n"), 400, "bare-cr"},
	{"2.2", get("A: b\r\r\n"), 400, "bare-cr"},
	{"2.2", get("A: b\nc\r\n"), 400, "bare-lf"},
	{"2.2", get("A\rB: c\r\n"), 400, "bare-cr"},
	{"2.2", get("A\nB: c\r\n"), 400, "bare-lf"},
	{"2.2", get("A: b\r\rC: d\r\n"), 400, "bare-cr"},
	{"2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "obs-fold"},
	{"2.2", "GET / HTTP/1.1\r\n\tA: b\r\nHost: a\r\n\r\n", 400, "obs-fold"},

	// 2.3 HTTP version
	{"2.3", "GET / HTTP/2.0\r\n", 505, "version-unsupported"},
	{"2.3", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version-unsupported"},
	{"2.3", "GET / HTTP/1.2\r\n", 505, "version-unsupported"},
	{"2.3", "GET / HTTP/0.9\r\n", 505, "version-unsupported"},
	{"2.3", "GET / HTTP/3.1\r\n", 505, "version-unsupported"},
	{"2.3", "GET / http/1.1\r\n", 400, "version"},
	{"2.3", "GET / HTTP/1.10\r\n", 400, "version"},
	{"2.3", "GET / HTTP/01.1\r\n", 400, "version"},
	{"2.3", "GET / HTTP/1,1\r\n", 400, "version"},
	{"2.3", "GET / HTTP/101\r\n", 400, "version"},
	{"2.3", "GET / HTT9/1.1\r\n", 400, "version"},
	{"2.3", "GET / HTTP/1.\r\n", 400, "version"},
	{"2.3", "GET / HTTP/1.1 \r\n", 400, "version"},
	{"2.3", "GET / HTTPS/1.1\r\n", 400, "version"},
	{"2.3", "GET / FOO\r\n", 400, "version"},
	{"2.3", "GET / HTTP/1.1\r\rHost: a\r\n", 400, "version"},

	// 3 Request line
	{"3", " GET / HTTP/1.1\r\n", 400, "method"},
	{"3", "GET\t/ HTTP/1.1\r\n", 400, "method"},
	{"3", "GET  / HTTP/1.1\r\n", 400, "target"},
	{"3", "GET /  HTTP/1.1\r\n", 400, "version"},
	{"3", "GET /\tHTTP/1.1\r\n", 400, "target"},
	{"3", "GET /\r\n", 400, "target"},
	{"3", "GET\r\n", 400, "method"},
	{"3", "GET  HTTP/1.1\r\n", 400, "target"},
	{"3", "/ HTTP/1.1\r\n", 400, "method"},
	{"3", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "method"}, // TLS to a plain port
	{"3", "\x00GET / HTTP/1.1\r\n", 400, "method"},
	{"3.1", "G(T / HTTP/1.1\r\n", 400, "method"},
	{"3.1", "GET: / HTTP/1.1\r\n", 400, "method"},
	{"3.1", "G\x80T / HTTP/1.1\r\n", 400, "method"},
	{"3", strings.Repeat("M", 33) + " / HTTP/1.1\r\n", 501, "method-too-long"},
	{"3", "GET /" + strings.Repeat("a", DefaultLine) + " HTTP/1.1\r\n" + host + "\r\n", 414, "line-too-long"},
	{"3", "GET /" + strings.Repeat("a", DefaultLine), 414, "line-too-long"},

	// 3.2 Request target
	{"3.2", target("/a b"), 400, "version"},
	{"3.2", target("/a\x00b"), 400, "target"},
	{"3.2", target("/a\x1fb"), 400, "target"},
	{"3.2", target("/a\x7fb"), 400, "target"},
	{"3.2", target("/caf\xc3\xa9"), 400, "target"},
	{"3.2", target("/?q=\xe9"), 400, "target"},
	{"3.2", target("/a#b"), 400, "target"},
	{"3.2", target("#"), 400, "target"},
	{"3.2", target("/a\rb"), 400, "target"},
	{"3.2", target("a"), 400, "target-form"},
	{"3.2", target("?a"), 400, "target-form"},
	{"3.2", target("a/b"), 400, "target-form"},
	{"3.2.1", target("/100%"), 400, "target-escape"},
	{"3.2.1", target("/%4"), 400, "target-escape"},
	{"3.2.1", target("/%zz"), 400, "target-escape"},
	{"3.2.1", target("/%4?4"), 400, "target-escape"},
	{"ours", target("/a%00b"), 400, "target-escape"},
	{"ours", target(`/a\..\b`), 400, "target-backslash"},
	{"3.2.2", target("http://"), 400, "target-form"},
	{"3.2.2", target("http:///a"), 400, "target-form"},
	{"3.2.2", target("http:/a"), 400, "target-form"},
	{"3.2.2", target("ftp://a/"), 400, "target-form"},
	{"3.2.2", target("://a/"), 400, "target-form"},
	{"3.2.2", target("http://a:b/"), 400, "target-form"},
	{"3.2.2", target("http://a:99999/"), 400, "target-form"},
	{"3.2.2", target("http://a%2f/"), 400, "target-form"},
	{"3.2.2", target("http://a/%0"), 400, "target-escape"},
	{"9110 4.2.4", target("http://u@a/"), 400, "target-form"},
	{"9110 4.2.4", target("http://u:p@a/"), 400, "target-form"},
	{"3.2.3", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "connect"},
	{"3.2.3", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "connect"},
	{"3.2.3", target("a:443"), 400, "target-form"},
	{"3.2.4", target("*"), 400, "target-form"},
	{"3.2.4", "OPTIONS ** HTTP/1.1\r\n", 400, "target-form"},
	{"3.2.4", "OPTIONS *?a HTTP/1.1\r\n", 400, "target-form"},

	// 3.2 Host
	{"3.2", "GET / HTTP/1.1\r\n\r\n", 400, "host-missing"},
	{"3.2", "GET http://a/ HTTP/1.1\r\n\r\n", 400, "host-missing"},
	{"3.2", get("Host: a\r\n"), 400, "host-twice"},
	{"3.2", get("hOST: b\r\n"), 400, "host-twice"},
	{"3.2", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "host-twice"},
	{"9110 4.2.1", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host"},
	{"9110 4.2.1", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: [1]\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400, "host"},
	{"9110 7.2", "GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n", 400, "host"},
	{"3.2", "GET http://b/ HTTP/1.1\r\nHost: @\r\n\r\n", 400, "host"}, // bad even where it is replaced

	// 5 Field syntax
	{"5.1", get("A : b\r\n"), 400, "space-before-colon"},
	{"5.1", get("A\t: b\r\n"), 400, "space-before-colon"},
	{"5.1", get("Content-Length : 5\r\n"), 400, "space-before-colon"},
	{"5.1", get("Transfer-Encoding : chunked\r\n"), 400, "space-before-colon"},
	{"5.1", get("A B: c\r\n"), 400, "space-before-colon"},
	{"5.2", get("A: b\r\n c\r\n"), 400, "obs-fold"},
	{"5.2", get("A: b\r\n\tc\r\n"), 400, "obs-fold"},
	{"5.2", get("Transfer-Encoding:\r\n chunked\r\n"), 400, "obs-fold"},
	{"5.2", get("A: b\r\n \r\n"), 400, "obs-fold"},
	{"5", get(": b\r\n"), 400, "field-name-empty"},
	{"5", get("A\r\n"), 400, "bare-cr"}, // no colon
	{"9110 5.1", get("A(B: c\r\n"), 400, "field-name"},
	{"9110 5.1", get("A/B: c\r\n"), 400, "field-name"},
	{"9110 5.1", get("\"A\": c\r\n"), 400, "field-name"},
	{"9110 5.1", get("A\x80: c\r\n"), 400, "field-name"},
	{"9110 5.1", get("A\x00: c\r\n"), 400, "control-byte"},
	{"9110 5.1", get("A\x0b: c\r\n"), 400, "control-byte"},
	{"9110 5.1", get("A\x7f: c\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x00c\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x01c\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x0bc\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x0cc\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x1bc\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: b\x7fc\r\n"), 400, "control-byte"},
	{"9110 5.5", get("A: 0123456789\x00c\r\n"), 400, "control-byte"},
	{"9110 5.5", get("Transfer-Encoding: \x0bchunked\r\n"), 400, "control-byte"},
	{"ours", get("Content_Length: 5\r\n"), 400, "field-name-lookalike"},
	{"ours", get("Transfer_Encoding: chunked\r\n"), 400, "field-name-lookalike"},
	{"ours", get("X_Forwarded-For: 1\r\n"), 400, "field-name-lookalike"},
	{"ours", get("x_forwarded_host: 1\r\n"), 400, "field-name-lookalike"},
	{"9110 5.4", get(strings.Repeat("A: b\r\n", DefaultFields)), 431, "too-many-fields"},
	{"9110 5.4", get("A: " + strings.Repeat("b", DefaultHead) + "\r\n"), 431, "head-too-large"},
	{"9110 5.4", get(strings.Repeat("A", DefaultHead) + ": b\r\n"), 431, "head-too-large"},
	{"9110 5.4", get(strings.Repeat("A: "+strings.Repeat("b", 200)+"\r\n", 90)), 431, "head-too-large"},

	// 6 Message body
	{"6.1", get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "cl-and-te"},
	{"6.1", get("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400, "cl-and-te"},
	{"6.1", get("Content-Length: 5\r\nTransfer-Encoding: identity\r\n"), 400, "cl-and-te"},
	{"6.1", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "te-in-1.0"},
	{"6.1", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400, "te-in-1.0"},
	{"6.1", get("Transfer-Encoding: gzip\r\n"), 501, "te-unsupported"},
	{"6.1", get("Transfer-Encoding: gzip, chunked\r\n"), 501, "te-unsupported"},
	{"6.1", get("Transfer-Encoding: identity\r\n"), 501, "te-unsupported"},
	{"6.1", get("Transfer-Encoding: xchunked\r\n"), 501, "te-unsupported"},
	{"6.1", get("Transfer-Encoding: chunked1\r\n"), 501, "te-unsupported"},
	{"6.1", get("Transfer-Encoding: chunked, chunked\r\n"), 400, "te"},
	{"6.3", get("Transfer-Encoding: chunked, gzip\r\n"), 400, "te"},
	{"6.3", get("Transfer-Encoding: chunked, identity\r\n"), 400, "te"},
	{"6.3", get("Transfer-Encoding: gzip, chunked, gzip\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding:\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: ,\r\n"), 400, "te"},
	{"ours", get("Transfer-Encoding: , chunked\r\n"), 400, "te"}, // an empty element: allowed, but servers disagree
	{"ours", get("Transfer-Encoding: chunked,\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: \"chunked\"\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: chunked;a=b\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: chu nked\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: chunked\xff\r\n"), 400, "te"},
	{"6.1", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "te-twice"},
	{"6.1", get("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n"), 400, "te-twice"},
	{"6.3", get("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "cl-twice"},
	{"6.3", get("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, "cl-twice"},
	{"6.3", get("Content-Length: 5, 5\r\n"), 400, "cl"},
	{"6.3", get("Content-Length: 5,6\r\n"), 400, "cl"},
	{"6.2", get("Content-Length:\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: -1\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: +1\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: 0x5\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: 5a\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: 1 2\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: 1_0\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: 1.0\r\n"), 400, "cl"},
	{"6.2", get("Content-Length: \xb9\r\n"), 400, "cl"},
	{"9110 8.6", get("Content-Length: 9223372036854775808\r\n"), 400, "cl"},
	{"9110 8.6", get("Content-Length: 18446744073709551617\r\n"), 400, "cl"},
	{"9110 8.6", get("Content-Length: 00000000000000000005\r\n"), 400, "cl"}, // more than 19 digits

	// Other fields
	{"9110 7.6.1", get("Connection: a b\r\n"), 400, "connection"},
	{"9110 7.6.1", get("Connection: close, \"x\"\r\n"), 400, "connection"},
	{"9110 7.6.1", get("Connection: " + strings.Repeat("a,", 33) + "\r\n"), 400, "connection-options"},
	{"9110 10.1.1", get("Expect: 200-ok\r\n"), 417, "expect"},
	{"9110 10.1.1", get("Expect:\r\n"), 417, "expect"},
	{"9110 10.1.1", get("Expect: 100-continue, x\r\n"), 417, "expect"},
	{"9110 10.1.1", get("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 417, "expect"},
}

func TestRequestsThatMustBeRefused(t *testing.T) {
	if len(refusals) < 100 {
		t.Errorf("only %d refusals", len(refusals))
	}
	for i, c := range refusals {
		t.Run(fmt.Sprintf("%03d %s %s", i, c.section, c.reason), func(t *testing.T) {
			got := parseRequest(t, c.in, nil)
			if got.Reason != c.reason || got.ErrorStatus != c.status {
				t.Errorf("%.200q: got %d %q, want %d %q", c.in, got.ErrorStatus, got.Reason, c.status, c.reason)
			}
		})
	}
}

func TestLimitsHoldToTheByte(t *testing.T) {
	const line, head = len("GET / HTTP/1.1"), len("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n")
	in := get("A: b\r\n")
	for _, c := range []struct {
		in     string
		lim    Limits
		reason string
	}{
		{in, Limits{Line: line}, ""},
		{in, Limits{Line: line - 1}, "line-too-long"},
		{"\r\n" + in, Limits{Line: line}, ""},
		{"\r\n" + in, Limits{Line: line - 1}, "line-too-long"},
		{in, Limits{Head: head}, ""},
		{in, Limits{Head: head - 1}, "head-too-large"},
		{in, Limits{Head: line + 1}, "line-too-long"},
		{in, Limits{Fields: 2}, ""},
		{in, Limits{Fields: 1}, "too-many-fields"},
		{get("Content-Length: 5\r\n"), Limits{Body: 5}, ""},
		{get("Content-Length: 6\r\n"), Limits{Body: 5}, "body-too-large"},
		{get("A: " + strings.Repeat("b", MaxHead) + "\r\n"), Limits{Head: 1 << 30}, "head-too-large"},
	} {
		if got := parseRequest(t, c.in, &c.lim); got.Reason != c.reason {
			t.Errorf("%.60q with %+v: got %q, want %q", c.in, c.lim, got.Reason, c.reason)
		}
	}
	largest := get("A: " + strings.Repeat("b", MaxHead-len(get("A: \r\n"))) + "\r\n")
	var r Request
	if n, err := r.Parse([]byte(largest), &Limits{Head: MaxHead}); n != MaxHead || err != nil {
		t.Errorf("a head of MaxHead bytes: got %d, %v", n, err)
	}
}

// Slow senders cost no more than fast ones: each call goes on where the last one stopped, but for the version and the
// end of a line.
func TestNoByteIsLookedAtTwice(t *testing.T) {
	in := []byte("\r\n" + strings.TrimSuffix(browserRequest, "\r\n") + "X: " + strings.Repeat("y", 5000))
	line := bytes.IndexByte(in[2:], '\n') + 3 // the request line is judged once more at its end
	var r Request
	for n := range len(in) + 1 {
		if got, err := r.Parse(in[:n], nil); got != 0 || err != nil {
			t.Fatalf("%q: got %d, %v", in[:n], got, err)
		}
		if r.at < n-len(http11) {
			t.Fatalf("after %d bytes the scan is still at %d", n, r.at)
		}
		if n > line {
			clear(in[line:max(line, r.at-len(http11))]) // refused if it came by here again
		}
	}
}

// A partial message never looks complete and never looks wrong.
func TestEveryBeginningOfAGoodRequestIsIncomplete(t *testing.T) {
	in := "\r\nPOST http://a:80/b?c HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\nX:\t y \r\nContent-Length: 5\r\n\r\n"
	for n := range len(in) {
		var r Request
		if got, err := r.Parse([]byte(in[:n]), nil); got != 0 || err != nil {
			t.Errorf("%q: got %d, %v", in[:n], got, err)
		}
	}
}
