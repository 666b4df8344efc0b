package lbcore_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func stickiness(secret string) bedOption {
	return func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Sticky = &lbcore.StickyConfig{Cookie: "lb", Secrets: [][]byte{[]byte(secret)}, MaxAge: time.Hour}
	}
}

const sharedSecret = "a secret that the pair shares"

// browse asks with a cookie, "" for none, and returns who answered, and the cookie that was
// set, "" for none.
func (l *bed) browse(cookie string) (who, set string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), "GET", l.url("/"), nil)
	must(l.t, err)
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
		req.AddCookie(&http.Cookie{Name: "lb", Value: cookie})
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(l.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(l.t, err)
	for _, c := range resp.Cookies() {
		if c.Name == "lb" {
			if set != "" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 3600 {
				l.t.Errorf("a cookie %v", c)
			}
			set = c.Value
		}
	}
	return string(body), set
}

func TestAClientComesBackToItsBackend(t *testing.T) {
	list := answering(t, 3)
	l := newBed(t, list, stickiness(sharedSecret))
	who, cookie := l.browse("")
	if cookie == "" {
		t.Fatal("no cookie was set")
	}
	for range 20 {
		if again, set := l.browse(cookie); again != who || set != "" {
			t.Fatalf("then %s answered, and set %q", again, set)
		}
	}
	forged := strings.Repeat("A", len(cookie))
	seen := map[string]bool{}
	for range 20 {
		who, set := l.browse(forged)
		if set == "" || set == forged {
			t.Fatalf("a forged cookie was answered with %q", set)
		}
		seen[who] = true
	}
	if len(seen) != 3 {
		t.Errorf("who has a forged cookie goes to %v", seen)
	}
	if n := l.poolState().Counters.Sticky; n != (lbcore.StickyCounters{Kept: 20, Lost: 20, New: 1}) {
		t.Errorf("counted %+v", n)
	}
}

func TestWhoseBackendIsGoneIsGivenAnother(t *testing.T) {
	list := answering(t, 3)
	l := newBed(t, list, stickiness(sharedSecret))
	who, cookie := l.browse("")
	for i := range list {
		list[i].Drain = list[i].ID == who
	}
	must(t, l.Pool("web").Set(list))
	other, set := l.browse(cookie)
	if other == who || set == "" || set == cookie {
		t.Errorf("while %s drains, %s answers and sets %q", who, other, set)
	}
	for range 5 {
		if again, s := l.browse(set); again != other || s != "" {
			t.Errorf("then %s answers and sets %q", again, s)
		}
	}
}

// What the active has set, its peer understands: it has the same secret and no more.
func TestACookieSurvivesAFailoverToThePeer(t *testing.T) {
	list := answering(t, 5)
	active := newBed(t, list, stickiness(sharedSecret))
	peer := newBed(t, []lbcore.BackendConfig{list[3], list[1], list[4], list[0], list[2]}, stickiness(sharedSecret))
	stranger := newBed(t, list, stickiness("another secret altogether"))
	cookies := map[string]string{}
	for range 30 {
		who, cookie := active.browse("")
		cookies[who] = cookie
	}
	active.stop()
	for who, cookie := range cookies {
		for range 3 {
			if again, set := peer.browse(cookie); again != who || set != "" {
				t.Errorf("of %s the peer sends to %s, and sets %q", who, again, set)
			}
		}
		if _, set := stranger.browse(cookie); set == "" {
			t.Error("a balancer with another secret takes the cookie")
		}
	}
}

func TestAStickyRequestWaitsForItsBackendAndBlocksNobody(t *testing.T) {
	a, b := newGate(t, "s1"), newGate(t, "s2")
	l := newBed(t, []lbcore.BackendConfig{a.BackendConfig, b.BackendConfig}, oneLoop, maxconn(1, 10, time.Minute), stickiness(sharedSecret))
	first := l.send("/1")
	eventually(t, "the first is with one of them", func() bool { return a.now.Load()+b.now.Load() == 1 })
	if b.now.Load() == 1 {
		a, b = b, a
	}
	second := l.send("/2")
	b.has(t, 1)
	a.open <- true
	resp, _ := first.answer(t, "GET")
	cookie := resp.Cookies()[0].Value
	a.has(t, 0)
	again := l.dial()
	ask := func(c *rawConn, path string) {
		c.say("GET " + path + " HTTP/1.1\r\nHost: a\r\nCookie: lb=" + cookie + "\r\n\r\n")
	}
	ask(first, "/3")
	a.has(t, 1)
	ask(again, "/4")
	l.waitWaiting(1) // although nobody else waits for the second one
	other := l.send("/5")
	l.waitWaiting(2)
	b.open <- true
	second.answer(t, "GET")
	b.has(t, 1) // the one behind it, which goes anywhere
	b.open <- true
	if _, body := other.answer(t, "GET"); body != b.ID+"/5" {
		t.Errorf("the one behind it: %q", body)
	}
	a.open <- true
	first.answer(t, "GET")
	a.open <- true
	if _, body := again.answer(t, "GET"); body != a.ID+"/4" {
		t.Errorf("who waited for its own: %q", body)
	}
}

// Streams of one connection go each to the backend that its cookie names.
func TestCookiesAreFollowedOverHTTP2(t *testing.T) {
	l := newBed(t, answering(t, 3), withHTTP2, stickiness(sharedSecret))
	c := h2Client(t)
	ask := func(cookie string) (who, set string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", l.url("/"), nil)
		must(t, err)
		if cookie != "" { // in two fields, as HTTP/2 may have it (RFC 9113, 8.2.3)
			req.Header["Cookie"] = []string{"theme=dark", "lb=" + cookie}
		}
		resp, err := c.Do(req)
		must(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		for _, k := range resp.Cookies() {
			set = k.Value
		}
		return string(body), set
	}
	cookies := map[string]string{}
	for len(cookies) < 3 { // roundrobin
		who, cookie := ask("")
		if cookie == "" {
			t.Fatal("no cookie was set")
		}
		cookies[who] = cookie
	}
	for range 5 {
		for who, cookie := range cookies {
			if again, set := ask(cookie); again != who || set != "" {
				t.Errorf("the cookie of %s led to %s, and set %q", who, again, set)
			}
		}
	}
	if n := l.counters(); n.HTTP2.Connections != 1 || l.poolState().Counters.Sticky.Kept != 15 {
		t.Errorf("%d connections, %+v", n.HTTP2.Connections, l.poolState().Counters.Sticky)
	}
}
