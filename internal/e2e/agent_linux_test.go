package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// One agent runs two apps and a process beside them, as its file says. It changes its weight while they serve, tells its
// log through the balancer, and is told to leave in the middle of a stream, which comes to its end.
func TestAnAgentsAppsAreWeightedReadAndDrainedToTheLastRequest(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if _, err := s.tandem("client", "keygen", in("gossip.key"), in("balancer.key")); err != nil {
		t.Fatal(err)
	}
	public, err := s.tandem("client", "keygen", "--public", in("balancer.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := appendTo(in("gossip.key"), public); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf(`
[agent]
socket = %q
drain_time = "20s"
[cluster]
join = ["192.168.42.42"]
gossip_key_file = "gossip.key"
[[app]]
pool = "web"
port = 3000
process = "one"
[[app]]
pool = "web"
port = 3001
process = "two"
[process.one]
command = [%[2]q, "webapp", "--listen", ":3000", "--name", "one"]
after = ["beside"]
[process.two]
command = [%[2]q, "webapp", "--listen", ":3001", "--name", "two"]
[process.beside]
command = ["/bin/sh", "-c", "echo here I am; exec sleep 1000"]
`, in("agent.sock"), os.Getenv(binaryVar))
	if err := os.WriteFile(in("agent.toml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s.extra = []string{"--gossip-key-file", in("gossip.key"), "--balancer-key-file", in("balancer.key")}
	s.startLB("lb1", "lb2")
	s.start("web1", "agent", "--config", in("agent.toml"), "--name", "web1")
	s.untilServedBy("one", "two")

	socket := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", in("agent.sock"))
	}}}
	resp, err := socket.Post("http://agent/v1/weight", "", strings.NewReader(`{"port": 3001, "weight": 10}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.until("one app has ten times the share of the other", func() (bool, string) {
		from := map[string]int{}
		for range 44 {
			app, err := s.get()
			if err != nil {
				return false, err.Error()
			}
			from[app]++
		}
		return from["two"] >= 1 && from["two"] <= 8 && from["one"]+from["two"] == 44, fmt.Sprint(from)
	})

	for _, lb := range []string{"lb1", "lb2"} {
		s.until("the agent's log is told on "+lb, func() (bool, string) {
			out, err := s.tandem(lb, "logs", "web1", "--json")
			for line := range strings.SplitSeq(out, "\n") {
				var l struct{ Node, Process, Text string }
				if json.Unmarshal([]byte(line), &l) == nil && l.Node == "web1" && l.Process == "beside" && l.Text == "here I am" {
					return true, ""
				}
			}
			return false, fmt.Sprint(out, err)
		})
	}

	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "GET /stream?n=20&ms=100 HTTP/1.1\r\nHost: %s\r\n\r\n", vip); err != nil {
		t.Fatal(err)
	}
	stream, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() {
		t.Fatal("the stream has no first line")
	}
	leave := make(chan error, 1)
	go func() {
		out, err := s.tandem("web1", "leave", "--socket", in("agent.sock"))
		if err == nil && !strings.Contains(out, "web1 has") {
			err = fmt.Errorf("tandem leave says %q", out)
		}
		leave <- err
	}()
	n, last := 1, ""
	for lines.Scan() {
		n, last = n+1, lines.Text()
	}
	if err := lines.Err(); err != nil && err != io.EOF || n != 20 {
		t.Errorf("the stream ended after %d of 20 lines (%q), %v", n, last, err)
	}
	begun := time.Now()
	if err := <-leave; err != nil {
		t.Error(err)
	}
	if err := s.ended("web1"); err != nil {
		t.Errorf("the agent: %v", err)
	}
	t.Logf("the agent ended %v after the last line of the stream", time.Since(begun).Round(time.Millisecond))
	if out := s.logs["web1"].tail(); !strings.Contains(out, "drained: no balancer has a request under way") {
		t.Error("it was not stopped since it was drained")
	}
	if out, err := s.tandem("lb1", "logs", "web1"); err == nil {
		t.Errorf("an agent that has left told its log: %s", out)
	}
}

// appendTo adds text to the end of a file.
func appendTo(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, text...), 0o600)
}
