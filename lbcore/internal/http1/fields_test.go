package http1

import (
	"strings"
	"testing"
)

func TestFieldsAreSetInPlaceOfTheBackends(t *testing.T) {
	set, err := NewFields([][2]string{{"Strict-Transport-Security", "max-age=31536000"}, {"X-A", ""}})
	if err != nil {
		t.Fatal(err)
	}
	var r Response
	head := "HTTP/1.1 200 OK\r\nx-a: theirs\r\nstrict-transport-security: max-age=0\r\nX-B: kept\r\nX-A: again\r\nContent-Length: 2\r\n\r\n"
	if _, perr := r.Parse([]byte(head), nil, Asked{}); perr != nil {
		t.Fatal(perr)
	}
	want := "HTTP/1.1 200 OK\r\nX-B: kept\r\nStrict-Transport-Security: max-age=31536000\r\nX-A: \r\nContent-Length: 2\r\n\r\n"
	if got := string(AppendResponse(nil, &r, &Reply{Minor: 1, KeepAlive: true, Set: set})); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := string(AppendError(nil, &Answer{Status: 503, CloseConn: true, Set: set})); !strings.Contains(got, "\r\nX-A: \r\n") {
		t.Errorf("an answer of our own: %q", got)
	}
	interim := "HTTP/1.1 103 Early Hints\r\nX-A: theirs\r\n\r\n"
	if _, perr := r.Parse([]byte(interim), nil, Asked{}); perr != nil {
		t.Fatal(perr)
	}
	if got := string(AppendResponse(nil, &r, &Reply{Minor: 1, Set: set})); got != interim {
		t.Errorf("an interim answer became %q", got)
	}
}

func TestFieldsThatMustNotBeSetAreRefused(t *testing.T) {
	for _, nv := range [][2]string{
		{"", "x"},
		{"A B", "x"},
		{"A:", "x"},
		{"A", "x\r\nB: y"},
		{"A", "x\x00"},
		{"A", " x"},
		{"Content-Length", "1"},
		{"transfer-encoding", "chunked"},
		{"Connection", "close"},
		{"Date", "now"},
	} {
		if _, err := NewFields([][2]string{nv}); err == nil {
			t.Errorf("%q is accepted", nv)
		}
	}
}

func TestARedirectKeepsHostTargetAndMethod(t *testing.T) {
	for _, c := range []struct {
		request  string
		port     int
		status   string
		location string
	}{
		{"GET /a?b=c HTTP/1.1\r\nHost: x.example\r\n\r\n", 443, "301", "https://x.example/a?b=c"},
		{"HEAD / HTTP/1.1\r\nHost: x.example:80\r\n\r\n", 8443, "301", "https://x.example:8443/"},
		{"POST /a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 443, "308", "https://[2001:db8::1]/a"},
		{"GET /a HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", 443, "301", "https://[2001:db8::1]/a"},
		{"GET http://y.example?q HTTP/1.1\r\nHost: x.example\r\n\r\n", 443, "301", "https://y.example/?q"},
		{"OPTIONS * HTTP/1.1\r\nHost: x.example\r\n\r\n", 443, "308", "https://x.example/"},
		{"GET / HTTP/1.0\r\n\r\n", 443, "", ""},
	} {
		var r Request
		if n, err := r.Parse([]byte(c.request), nil); n == 0 || err != nil {
			t.Fatalf("%q: %v", c.request, err)
		}
		got, ok := AppendRedirect(nil, &r, c.port, true, nil)
		if ok != (c.status != "") {
			t.Errorf("%q: redirected %v", c.request, ok)
		}
		if ok && (!strings.HasPrefix(string(got), "HTTP/1.1 "+c.status) || !strings.Contains(string(got), "\r\nLocation: "+c.location+"\r\n")) {
			t.Errorf("%q: %q, want %s to %s", c.request, got, c.status, c.location)
		}
	}
}
