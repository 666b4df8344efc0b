package lbcore_test

import (
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestErrorPagesTakeThePlaceOfOurOwnAnswers(t *testing.T) {
	l := newBed(t, nil, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.ErrorPages = map[int]lbcore.ErrorPage{503: {Type: "text/html", Body: []byte("<h1>Sorry</h1>")}}
		f.ResponseHeaders = [][2]string{{"X-A", "b"}}
	})
	c := l.dial()
	for _, method := range []string{"GET", "HEAD"} {
		c.say(method + " / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, body := c.answer(t, method)
		if resp.StatusCode != 503 || resp.ContentLength != 14 || resp.Header.Get("Content-Type") != "text/html" || resp.Header.Get("X-A") != "b" || resp.Header.Get("Cache-Control") != "no-store" || body != map[string]string{"GET": "<h1>Sorry</h1>"}[method] {
			t.Errorf("%s: %d %v %q", method, resp.StatusCode, resp.Header, body)
		}
	}
	c.say("GET /\r\n\r\n")
	if resp, body := c.answer(t, "GET"); resp.StatusCode != 400 || body != "400 Bad Request\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}
