package lbcore_test

import (
	"net/http"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestAFrontendRedirectsToHTTPS(t *testing.T) {
	l := newBed(t, nil, func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		fe.RedirectHTTPS, fe.Pool = 443, ""
	})
	c := l.dial()
	c.say("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /c HTTP/1.0\r\n\r\n")
	for _, want := range []struct {
		status int
		to     string
	}{{301, "https://x/a"}, {308, "https://x/b"}, {400, ""}} {
		if resp, _ := c.answer(t, "GET"); resp.StatusCode != want.status || resp.Header.Get("Location") != want.to {
			t.Errorf("%s to %q, want %d to %q", resp.Status, resp.Header.Get("Location"), want.status, want.to)
		}
	}
	c.ended(t)
	if n := l.counters(); n.Requests != 3 || n.Responses[3] != 2 {
		t.Errorf("counted %+v", n)
	}
	// A body that has not come yet is not waited for.
	c = l.dial()
	c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
	if resp, _ := c.answer(t, "POST"); resp.StatusCode != 308 || !resp.Close {
		t.Errorf("%s, close %v", resp.Status, resp.Close)
	}
}

func TestAFrontendSetsHeadersOfAnswers(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
	})), func(_ *lbcore.Config, fe *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		fe.ResponseHeaders = [][2]string{{"Strict-Transport-Security", "max-age=31536000"}}
	})
	c := l.dial()
	c.say(get + "GET / HTTP/1.1\r\n\r\n")
	for _, status := range []int{200, 400} {
		resp, _ := c.answer(t, "GET")
		if got := resp.Header.Values("Strict-Transport-Security"); resp.StatusCode != status || len(got) != 1 || got[0] != "max-age=31536000" {
			t.Errorf("%s with %q", resp.Status, got)
		}
	}
}
