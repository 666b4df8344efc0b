package lbcore_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// echo answers with what it was asked, and by whom it was answered.
func echo(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "app")
		w.Header().Set("X-Seen", strings.Join(r.Header.Values("X-Seen"), "|"))
		w.Header().Set("X-User", strings.Join(append(r.Header.Values("X-User"), r.Header.Values("X_User")...), "|"))
		fmt.Fprintf(w, "%s %s %s %s", id, r.Method, r.Host, r.RequestURI)
	}
}

// ruled is a bed with two pools, "web" and "api", and rules.
func ruled(t *testing.T, pool string, rules ...route.Rule) *bed {
	t.Helper()
	l := newBed(t, nil, longChecks, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Pool, f.Rules = pool, rules
		f.ResponseHeaders = [][2]string{{"X-Frame-Options", "DENY"}, {"X-From", "frontend"}}
	})
	other := l.pool
	other.Name = "api"
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool, other}))
	must(t, l.Pool("web").Set(one(httpBackend(t, "web", echo("web")))))
	must(t, l.Pool("api").Set(one(httpBackend(t, "api", echo("api")))))
	eventually(t, "both up", func() bool { s := l.Snapshot(); return s.Pools[0].Up == 1 && s.Pools[1].Up == 1 })
	return l
}

func TestRulesSendRequestsToPools(t *testing.T) {
	l := ruled(t, "web",
		route.Rule{Name: "api", Prefixes: []string{"/api"}, Pool: "api", ReplacePrefix: "/v2", SetRequest: [][2]string{{"Host", "api.internal"}}},
		route.Rule{Name: "items", Regex: "^/item/([^/]+)$", Rewrite: "/items/$1/show"},
		route.Rule{Name: "gone", Paths: []string{"/gone"}, Pool: "nowhere"},
	)
	c := l.dial()
	for _, tc := range []struct{ request, want string }{
		{"GET /api/a%2Fb?c=d HTTP/1.1\r\nHost: x\r\n\r\n", "api GET api.internal /v2/a%2Fb?c=d"},
		{"GET /%61pi HTTP/1.1\r\nHost: x\r\n\r\n", "api GET api.internal /v2"},
		{"GET http://y/api/ HTTP/1.1\r\nHost: x\r\n\r\n", "api GET api.internal /v2/"},
		{"POST /item/caf%C3%A9 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", "web POST x /items/caf%C3%A9/show"},
		{"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", "web GET x /other"},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "web OPTIONS x *"},
	} {
		c.say(tc.request)
		if resp, body := c.answer(t, "GET"); resp.StatusCode != 200 || body != tc.want && !strings.HasPrefix(tc.request, "OPTIONS") {
			t.Errorf("%q: %d %q, want %q", tc.request, resp.StatusCode, body, tc.want)
		}
	}
	c.say("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 {
		t.Errorf("a pool that is not there: %d", resp.StatusCode)
	}
	s := l.Snapshot().Frontends[0]
	if fmt.Sprint(s.Rules) != "[{api 3 0} {items 1 0} {gone 1 0}]" {
		t.Errorf("counted %v", s.Rules)
	}
	// A reload in another order keeps the counts.
	l.fe.Rules = []route.Rule{l.fe.Rules[1], l.fe.Rules[0]}
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	if s := l.Snapshot().Frontends[0]; fmt.Sprint(s.Rules) != "[{items 1 0} {api 3 0}]" {
		t.Errorf("after the reload %v", s.Rules)
	}
	c.say("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 200 {
		t.Errorf("the rule is gone, but: %d", resp.StatusCode)
	}
}

func TestRulesChangeHeaders(t *testing.T) {
	l := ruled(t, "web", route.Rule{
		Name: "all", SetRequest: [][2]string{{"X-User", "nobody"}}, AddRequest: [][2]string{{"X-Seen", "proxy"}}, RemoveRequest: []string{"X-Other"},
		SetResponse: [][2]string{{"x-from", "rule"}}, AddResponse: [][2]string{{"Vary", "Origin"}, {"Vary", "Cookie"}}, RemoveResponse: []string{"Server"},
	})
	c := l.dial()
	c.say("GET / HTTP/1.1\r\nHost: x\r\nX_User: root\r\nx-user: root\r\nX-Seen: client\r\n\r\n")
	resp, _ := c.answer(t, "GET")
	h := resp.Header
	if h.Get("X-User") != "nobody" || h.Get("X-Seen") != "client|proxy" {
		t.Errorf("the backend saw %q, %q", h.Get("X-User"), h.Get("X-Seen"))
	}
	if h.Get("Server") != "" || strings.Join(h.Values("X-From"), "|") != "rule" || strings.Join(h.Values("Vary"), "|") != "Origin|Cookie" || h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the client saw %v", h)
	}
}

func TestRulesRedirectAndAnswer(t *testing.T) {
	l := ruled(t, "",
		route.Rule{Name: "https", Hosts: []string{"secure.example"}, Redirect: "https://{host}{path}{query}", Status: 308},
		route.Rule{Name: "moved", Prefixes: []string{"/old"}, ReplacePrefix: "/new", Redirect: "{path}"},
		route.Rule{Name: "teapot", Paths: []string{"/tea"}, Status: 418, Body: "short and stout\n", SetResponse: [][2]string{{"X-From", "rule"}}},
		route.Rule{Name: "forbidden", Paths: []string{"/no"}, Status: 403},
		route.Rule{Name: "web", Paths: []string{"/web"}, Pool: "web"},
	)
	c := l.dial()
	for _, tc := range []struct {
		request        string
		status         int
		location, body string
	}{
		{"GET /a%20b?c HTTP/1.1\r\nHost: secure.example:8080\r\n\r\n", 308, "https://secure.example/a%20b?c", ""},
		{"POST /old//evil.example HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 302, "/new//evil.example", ""},
		{"GET /tea HTTP/1.1\r\nHost: x\r\n\r\n", 418, "", "short and stout\n"},
		{"HEAD /tea HTTP/1.1\r\nHost: x\r\n\r\n", 418, "", ""},
		{"GET /no HTTP/1.1\r\nHost: x\r\n\r\n", 403, "", "403 Forbidden\n"},
		{"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, "", "404 Not Found\n"},
		{"GET /a/../web HTTP/1.1\r\nHost: x\r\n\r\n", 400, "", "400 Bad Request\n"},
		{"GET /web HTTP/1.1\r\nHost: x\r\n\r\n", 200, "", "web GET x /web"},
	} {
		c.say(tc.request)
		resp, body := c.answer(t, strings.Fields(tc.request)[0])
		if resp.StatusCode != tc.status || resp.Header.Get("Location") != tc.location || body != tc.body || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Close {
			t.Errorf("%q: %d %v %q", tc.request, resp.StatusCode, resp.Header, body)
		}
		if strings.Contains(tc.request, "/tea") && (resp.ContentLength != 16 || resp.Header.Get("X-From") != "rule" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8") {
			t.Errorf("%q: %d bytes, %v", tc.request, resp.ContentLength, resp.Header)
		}
	}
	if n := l.counters(); n.Errors.NoRule != 1 || n.Errors.BadRequest != 1 || n.Requests != 8 {
		t.Errorf("counted %+v", n)
	}
	// A body that is still to come is read away, and too much of it ends the connection.
	c.say("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
	if resp, _ := c.answer(t, "POST"); resp.StatusCode != 403 || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
}

func TestRulesAllocateNothing(t *testing.T) {
	l := newBed(t, one(fixed(t, "s1", okAnswer)), longChecks, oneLoop, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.Rules = []route.Rule{
			{Name: "a", Hosts: []string{"*.example.com"}},
			{Name: "b", Regex: "^/[0-9]+$"},
			{Name: "c", Prefixes: []string{"/"}, ReplacePrefix: "/app", SetRequest: [][2]string{{"X-A", "b"}}, RemoveResponse: []string{"Server"}},
		}
	})
	if n := allocsOf(t, l, okAnswer[len(okAnswer)-5:]); n >= 500 {
		t.Errorf("%d allocations for 1000 requests", n)
	}
}

// A rule may have a rate of its own, and be for some networks only.
func TestRulesLookAtTheSource(t *testing.T) {
	l := ruled(t, "web",
		route.Rule{Name: "office", Prefixes: []string{"/admin"}, Sources: networks("127.0.0.2/32", "10.0.0.0/8"), Pool: "api"},
		route.Rule{Name: "nobody", Prefixes: []string{"/admin"}, Status: 403},
		route.Rule{Name: "login", Paths: []string{"/login"}, Rate: atOnce(2)},
	)
	ask := func(addr, path string) int {
		t.Helper()
		c := l.from(addr)
		c.say(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path))
		r, _ := c.answer(t, "GET")
		return r.StatusCode
	}
	for i, tc := range []struct {
		addr, path string
		want       int
	}{
		{"127.0.0.2", "/admin/x", 200},
		{"127.0.0.1", "/admin/x", 403},
		{"127.0.0.1", "/", 200},
		{"127.0.0.1", "/login", 200},
		{"127.0.0.1", "/login", 200},
		{"127.0.0.1", "/login", 429},
		{"127.0.0.2", "/login", 200},
		{"127.0.0.1", "/", 200},
	} {
		if got := ask(tc.addr, tc.path); got != tc.want {
			t.Errorf("request %d, %s from %s: %d, want %d", i, tc.path, tc.addr, got, tc.want)
		}
	}
	l.fe.Rules = append([]route.Rule{{Name: "first", Paths: []string{"/first"}, Rate: atOnce(1)}}, l.fe.Rules...)
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	if got := ask("127.0.0.1", "/login"); got != 429 {
		t.Errorf("after a reload that put another rule before: %d", got)
	}
	if got := ask("127.0.0.1", "/first"); got != 200 {
		t.Errorf("the other rule: %d", got)
	}
	rules := l.Snapshot().Frontends[0].Rules
	if n := rules[3]; n.Name != "login" || n.Requests != 5 || n.Limited != 2 {
		t.Errorf("the rule counted %+v", n)
	}
}

// An upload may be larger where a rule says so, and smaller where another does.
func TestARuleBoundsTheBody(t *testing.T) {
	l := ruled(t, "web", route.Rule{Name: "upload", Paths: []string{"/upload"}, BodyLimit: 1000}, route.Rule{Name: "small", Paths: []string{"/small"}, BodyLimit: 10})
	l.fe.Limits.Body = 100
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	for path, most := range map[string]int{"/": 100, "/upload": 1000, "/small": 10} {
		for size, want := range map[int]int{most: 200, most + 1: 413} {
			body := strings.Repeat("x", size)
			c := l.dial()
			c.say(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, size, body))
			if r, _ := c.answer(t, "POST"); r.StatusCode != want {
				t.Errorf("%s, %d bytes: %d, want %d", path, size, r.StatusCode, want)
			}
			c = l.dial()
			c.say(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, size, body))
			if r, _ := c.answer(t, "POST"); r.StatusCode != want {
				t.Errorf("%s, %d bytes, chunked: %d, want %d", path, size, r.StatusCode, want)
			}
		}
	}
}
