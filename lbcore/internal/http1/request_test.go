package http1

import (
	"fmt"
	"strings"
	"testing"
)

// want is what a test expects of a request; unset fields are not compared, except where they are all there is.
type want struct {
	method, target, host, upgrade string
	minor                         int
	body                          Body
	close, expect                 bool
}

var accepted = []struct {
	section string // of RFC 9112 if no other is named
	in      string
	want    want
}{
	{"2.2 one empty line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", want{target: "/"}},
	{"2.3 HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", want{target: "/", host: "-", minor: 10, close: true}},
	{"3.1 unknown method", "X-~!|Y / HTTP/1.1\r\nHost: a\r\n\r\n", want{method: "X-~!|Y", target: "/"}},
	{"3 longest method", strings.Repeat("M", 32) + " / HTTP/1.1\r\nHost: a\r\n\r\n", want{target: "/"}},
	{"3.1 methods are case-sensitive", "get / HTTP/1.1\r\nHost: a\r\n\r\n", want{method: "get", target: "/"}},
	{"3.2.1 origin-form", target("/a/b;c=d?e=f/g?h&i=%zz"), want{target: "/a/b;c=d?e=f/g?h&i=%zz"}},
	{"3.2.1 escapes", target("/%41%c3%a9%2F%20%0A"), want{target: "/%41%c3%a9%2F%20%0A"}},
	{"3.2.1 characters that browsers leave", target(`/a|b^"<>{}[]` + "`" + `?c\d`), want{target: `/a|b^"<>{}[]` + "`" + `?c\d`}},
	{"3.2.1 two slashes", target("//a/b"), want{target: "//a/b"}},
	{"3.2.2 absolute-form replaces Host", target("http://b:81/c?d"), want{target: "/c?d", host: "b:81"}},
	{"3.2.2 scheme in any case", target("HTTPS://b/"), want{target: "/", host: "b"}},
	{"3.2.2 empty path", target("http://b"), want{target: "/", host: "b"}},
	{"3.2.2 query only", target("http://b?c/d"), want{target: "?c/d", host: "b"}},
	{"3.2.2 in HTTP/1.0", "GET http://b/ HTTP/1.0\r\n\r\n", want{target: "/", host: "b", minor: 10, close: true}},
	{"3.2.4 asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", want{method: "OPTIONS", target: "*"}},
	{"3.2.4 from absolute-form", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", want{method: "OPTIONS", target: "*", host: "b"}},
	{"3.2.4 from absolute-form with path", "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", want{method: "OPTIONS", target: "/", host: "b"}},
	{"9110 7.2 port", "GET / HTTP/1.1\r\nhost:\ta.b-c_d:8080\t\r\n\r\n", want{host: "a.b-c_d:8080"}},
	{"9110 7.2 empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", want{host: "a:"}},
	{"9110 7.2 IPv4", "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", want{host: "192.0.2.1:80"}},
	{"9110 7.2 IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::192.0.2.1]:80\r\n\r\n", want{host: "[2001:db8::192.0.2.1]:80"}},
	{"9110 5.5 obs-text, HTAB and empty values", get("A: caf\xe9\tb\r\nB:\r\nC: \t \r\n!#$%&'*+.^_`|~9: x\r\n"), want{}},
	{"9110 5.1 fields with underscores of their own", get("My_Field: 1\r\nX_Real_IP: 2\r\n"), want{}},
	{"6.2 Content-Length", get("Content-Length: 5\r\n"), want{body: Body{Length, 5}}},
	{"6.2 no content", get("CONTENT-LENGTH:0\r\n"), want{body: Body{Length, 0}}},
	{"6.2 leading zeros", get("Content-Length: 0005\r\n"), want{body: Body{Length, 5}}},
	{"9110 8.6 greatest", get("Content-Length: 9223372036854775807\r\n"), want{body: Body{Length, 1<<63 - 1}}},
	{"6.3 any method may have a body", "GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", want{body: Body{Length, 5}, host: "-", minor: 10, close: true}},
	{"6.1 chunked", get("Transfer-Encoding: chunked\r\n"), want{body: Body{Kind: Chunked}}},
	{"7 coding names in any case", get("transfer-encoding:\t CHUNKED \r\n"), want{body: Body{Kind: Chunked}}},
	{"9.3 close", get("Connection: close\r\n"), want{close: true}},
	{"9.3 close in any case and any line", get("Connection: a\r\nConnection: ,,b , CloSe\r\n"), want{close: true}},
	{"9.3 close wins", get("Connection: keep-alive, close\r\n"), want{close: true}},
	{"9.3 HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", want{host: "-", minor: 10}},
	{"9.3 HTTP/1.0 with both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", want{host: "-", minor: 10, close: true}},
	{"9110 10.1.1", get("Content-Length: 5\r\nExpect: 100-Continue\r\n"), want{body: Body{Length, 5}, expect: true}},
	{"9110 10.1.1 chunked", get("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"), want{body: Body{Kind: Chunked}, expect: true}},
	{"9110 10.1.1 nothing to wait for", get("Expect: 100-continue\r\n"), want{}},
	{"9110 10.1.1 ignored in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", want{method: "POST", minor: 10, close: true, body: Body{Length, 5}}},
	{"9110 7.8 upgrade", get("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), want{upgrade: "websocket"}},
	{"9110 7.8 upgrade not in Connection", get("Upgrade: websocket\r\n"), want{}},
	{"9110 7.8 upgrade without a protocol", get("Connection: upgrade\r\n"), want{}},
	{"9110 7.8 upgrade in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", want{minor: 10, close: true}},
	{"9110 7.8 several", get("Connection: upgrade\r\nUpgrade: websocket, SPDY/3.1\r\n"), want{upgrade: "websocket, SPDY/3.1"}},
	{"9110 7.8 several lines", get("Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n"), want{}},
	{"9110 7.8 nothing but commas", get("Connection: upgrade\r\nUpgrade: ,,\r\n"), want{}},
	{"9110 7.8 no token", get("Connection: upgrade\r\nUpgrade: web socket\r\n"), want{}},
	{"9110 7.8 no name", get("Connection: upgrade\r\nUpgrade: /1\r\n"), want{}},
	{"9110 7.8 no version", get("Connection: upgrade\r\nUpgrade: a/\r\n"), want{}},
	{"9110 7.8 two versions", get("Connection: upgrade\r\nUpgrade: a/1/2\r\n"), want{}},
	{"9110 7.8 too long", get("Connection: upgrade\r\nUpgrade: " + strings.Repeat("a", maxUpgrade+1) + "\r\n"), want{}},
	{"9113 3.1 h2c with a version", get("Connection: Upgrade\r\nUpgrade: h2c/1\r\n"), want{}},
	{"9113 3.1 h2c last", get("Connection: Upgrade\r\nUpgrade: websocket,H2C\r\n"), want{}},
	{"9110 7.8 HTTP itself", get("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"), want{}},
	{"9113 3.1 h2c", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"), want{}},
	{"9113 3.1 h2c among others", get("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: foo, H2C\r\n"), want{}},
}

func TestRequestsThatMustBeUnderstood(t *testing.T) {
	for i, c := range accepted {
		t.Run(fmt.Sprintf("%02d %s", i, c.section), func(t *testing.T) {
			got := parseRequest(t, c.in, nil)
			if got.Reason != "" {
				t.Fatalf("%q: refused: %s", c.in, got.Reason)
			}
			if got.N != len(c.in) {
				t.Errorf("length %d, want %d", got.N, len(c.in))
			}
			w := c.want
			switch w.host {
			case "":
				w.host = "a"
			case "-":
				w.host = ""
			}
			if w.minor == 0 {
				w.minor = 11
			}
			if w.method != "" && got.Method != w.method || w.target != "" && got.Target != w.target ||
				w.host != got.Host && w.host != "" || got.Upgrade != w.upgrade || got.Minor != w.minor-10 ||
				got.Body != w.body || got.KeepAlive == w.close || got.Expect100 != w.expect {
				t.Errorf("%q:\ngot  %+v\nwant %+v", c.in, got, w)
			}
		})
	}
}

func TestPipelinedRequestsAreTakenOneByOne(t *testing.T) {
	in := []byte(get("A: 1\r\n") + "GET /2 HTTP/1.0\r\n\r\n" + target("/3") + "GET /4 HT")
	var r Request
	var targets []string
	for {
		n, err := r.Parse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		targets = append(targets, fmt.Sprintf("%s 1.%d %d", r.Target, r.Minor, r.NumFields()))
		in = in[n:]
	}
	if got, want := fmt.Sprint(targets), "[/ 1.1 2 /2 1.0 0 /3 1.1 1]"; got != want || string(in) != "GET /4 HT" {
		t.Errorf("got %s and rest %q, want %s", got, in, want)
	}
}

func TestPathAndFieldsCanBeAskedFor(t *testing.T) {
	for in, path := range map[string]string{
		target("/a?b?c"):                        "/a",
		target("/?"):                            "/",
		target("http://b?c"):                    "/",
		target("http://b/c"):                    "/c",
		target("http://b"):                      "/",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n": "*",
	} {
		var r Request
		if _, err := r.Parse([]byte(in), nil); err != nil || string(r.Path()) != path {
			t.Errorf("%q: got %q, %v, want %q", in, r.Path(), err, path)
		}
	}
	var r Request
	if _, err := r.Parse([]byte(get("X-Y: 1\r\nx-y: 2\r\nX_Z: 3\r\nE:\r\n")), nil); err != nil {
		t.Fatal(err)
	}
	if got := r.Get("x-y"); string(got) != "1" {
		t.Errorf("Get takes the first: got %q", got)
	}
	if got := r.Get("x-z"); got != nil {
		t.Errorf("X_Z is not X-Z: got %q", got)
	}
	if got := r.Get("e"); got == nil || len(got) != 0 {
		t.Errorf("an empty value is not an absent one: got %#v", got)
	}
}

func TestAfterAnErrorTheNextCallStartsAnew(t *testing.T) {
	var r Request
	if _, err := r.Parse([]byte("GET / HTTP/1.1\r\nBad Name: x\r\n"), nil); err == nil {
		t.Fatal("accepted")
	}
	if n, err := r.Parse([]byte(get("")), nil); n == 0 || err != nil || r.NumFields() != 1 {
		t.Errorf("got %d, %v, %d fields", n, err, r.NumFields())
	}
	if n, err := r.Parse([]byte("GET /half HT"), nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	r.Reset()
	if n, err := r.Parse([]byte(get("")), nil); n == 0 || err != nil || string(r.Target) != "/" {
		t.Errorf("after Reset: got %d, %v, %q", n, err, r.Target)
	}
}
