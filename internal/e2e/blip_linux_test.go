package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keepAlive is a client's connection to the VIP that stays open between requests.
type keepAlive struct {
	conn net.Conn
	in   *bufio.Reader
}

// keepAlives opens connections and has a request answered on each.
func (s *site) keepAlives(n int) []*keepAlive {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conns := make([]*keepAlive, n)
	for i := range conns {
		c, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(vip, 80))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { c.Close() })
		conns[i] = &keepAlive{conn: c, in: bufio.NewReader(c)}
		if err := conns[i].ask(); err != nil {
			s.t.Fatal(err)
		}
	}
	return conns
}

// ask sends a request and reads its answer, which must be 200.
func (k *keepAlive) ask() error {
	if err := k.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(k.conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", vip); err != nil {
		return err
	}
	resp, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// configured starts a balancer by a configuration file.
func (s *site) configured(host, text string) {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "tandem.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.start(host, "lb", "--config", path)
}

// blip takes the port of a host down for a while, as a switch does that thinks about its topology.
func (s *site) blip(host string, d time.Duration) (up time.Time) {
	s.t.Helper()
	if err := s.hosts[host].PortDown(); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(d)
	if err := s.hosts[host].PortUp(); err != nil {
		s.t.Fatal(err)
	}
	return time.Now()
}

// All backends go down while the port is, and their checks would take 100 good ones, 10 s, to bring them back.
const nervous = `
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
check = { tcp = true, interval = "100ms", timeout = "100ms", fall = 1, rise = 100 }
`

func TestABlipOfTheOnlyBalancersPortLosesNoConnection(t *testing.T) {
	s := newSite(t)
	s.configured("lb1", nervous)
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	conns := s.keepAlives(20)
	for try := 1; ; try++ { // on a busy machine a check may fail for nothing, and costs the same 10 s
		up := s.blip("lb1", 500*time.Millisecond)
		s.until("a request is answered", func() (bool, string) {
			app, err := s.get()
			return err == nil, fmt.Sprint(app, err)
		})
		took := time.Since(up)
		t.Logf("a request was answered %v after the link was up", took)
		if took < 5*time.Second {
			break
		}
		if try == 3 {
			t.Fatalf("a request was answered only %v after the link was up, %d times: the checks did not start anew", took, try)
		}
	}
	for i, k := range conns {
		if err := k.ask(); err != nil {
			t.Errorf("connection %d after the blip: %v", i, err)
		}
	}
}
