package lbcore_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

func hello(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, name)
	}
}

func TestRequestsAreSpreadOverTheBackends(t *testing.T) {
	l := newLab(t, []lbcore.BackendConfig{
		httpBackend(t, "s1", hello("s1")), httpBackend(t, "s2", hello("s2")), httpBackend(t, "s3", hello("s3")),
	})
	got := map[string]int{}
	c := l.dial()
	for range 30 {
		c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, body := c.answer(t, "GET")
		if resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		got[body]++
	}
	if got["s1"] != 10 || got["s2"] != 10 || got["s3"] != 10 {
		t.Fatalf("got %v, want 10 each", got)
	}
}
