package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The gossip key is rotated while everybody serves, and outlives a restart with the old key file.
func TestGossipKeysAreRotatedUnderWay(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	key := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"old", "new"} {
		if _, err := s.tandem("client", "keygen", key(name)); err != nil {
			t.Fatal(err)
		}
	}
	startLB := func(h string) {
		s.start(h, "lb", "--vip", vip.String(), "--join", "192.168.42.11,192.168.42.12", "--listen", ":80", "--pool", "web",
			"--gossip-key-file", key("old"), "--state", key("state-"+h), "--socket", key(h+".sock"))
	}
	startApp := func() {
		s.start("web1", "agent", "--pool", "web", "--port", "3000", "--join", vip.String(), "--gossip-key-file", key("old"),
			"--keyring", key("ring-web1"), "--", os.Getenv(binaryVar), "webapp", "--listen", ":3000", "--name", "web1")
	}
	startLB("lb1")
	startLB("lb2")
	startApp()
	s.untilServedBy("web1")
	type holders struct {
		Added   string
		Holders []struct {
			Name string
			Keys []string
			Kept bool
		}
	}
	keys := func(lb string, args ...string) (holders, error) {
		out, err := s.tandem(lb, append(append([]string{"keys"}, args...), "--json", "--socket", key(lb+".sock"))...)
		var h holders
		if err == nil {
			err = json.Unmarshal([]byte(out), &h)
		}
		return h, err
	}
	var before holders
	s.until("all three hold the old key", func() (bool, string) {
		var err error
		before, err = keys("lb1", "list")
		return err == nil && len(before.Holders) == 3, fmt.Sprint(before, err)
	})
	old := before.Holders[0].Keys[0]
	added, err := keys("lb1", "add", key("new"))
	if err != nil || added.Added == "" {
		t.Fatalf("add: %+v, %v", added, err)
	}
	if _, err := keys("lb2", "remove", old); err == nil || !strings.Contains(err.Error(), "use another key first") {
		t.Errorf("the key in use was removed, or %v", err)
	}
	if _, err := keys("lb2", "use", added.Added); err != nil {
		t.Fatal(err)
	}
	after, err := keys("lb1", "remove", old)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range after.Holders {
		if len(h.Keys) != 1 || h.Keys[0] != added.Added || !h.Kept {
			t.Errorf("afterwards %+v", h)
		}
	}
	for _, h := range []string{"web1", "lb1"} {
		s.signal(h, syscall.SIGTERM)
		if err := s.ended(h); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	startLB("lb1")
	startApp()
	s.untilServedBy("web1")
	s.until("all three hold the new key", func() (bool, string) {
		again, err := keys("lb1", "list")
		for _, h := range again.Holders {
			if len(h.Keys) != 1 || h.Keys[0] != added.Added {
				return false, fmt.Sprint(again)
			}
		}
		return err == nil && len(again.Holders) == 3, fmt.Sprint(again, err)
	})
	for _, name := range []string{"old", "new"} {
		secret, err := os.ReadFile(key(name))
		if err != nil {
			t.Fatal(err)
		}
		for host, log := range s.logs {
			if strings.Contains(log.tail(), strings.TrimSpace(string(secret))) {
				t.Errorf("the log of %s holds a key", host)
			}
		}
	}
}
