package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A planned move loses nothing by HTTP/2 either: what is under way ends where it began, and the client is asked to go
// on elsewhere.
func TestHTTP2LivesThroughHandovers(t *testing.T) {
	s := newSite(t)
	for _, lb := range []string{"lb1", "lb2"} {
		s.configured(lb, `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[frontend.http2]
h2c = true
[pool.web]
`)
	}
	active := s.settled()

	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) { return s.dialVIP(80) }}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: patience}
	var stop atomic.Bool
	var answered atomic.Int64
	var wg sync.WaitGroup
	work := func(path string) {
		for !stop.Load() {
			resp, err := c.Get("http://www.example" + path)
			if err != nil {
				t.Errorf("GET %s: %v", path, err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 {
				t.Errorf("GET %s: %s by %s, %v", path, resp.Status, resp.Proto, err)
				return
			}
			answered.Add(1)
		}
	}
	for range 3 {
		wg.Go(func() { work("/") })
		wg.Go(func() { work("/slow?ms=700") })
	}
	for range 2 {
		s.moveAsking(active, active)
		active = other(active)
		s.untilOwnedBy(active)
		before := answered.Load()
		s.until("requests are answered", func() (bool, string) { return answered.Load() > before+20 || t.Failed(), fmt.Sprint(answered.Load()) })
		s.untilDrained(other(active))
	}
	stop.Store(true)
	wg.Wait()
	s.until("the node that was left has asked its clients to go", func() (bool, string) {
		out, err := s.tandem(other(active), "status")
		return err == nil && strings.Contains(out, "leaving"), fmt.Sprint(out, err)
	})
}
