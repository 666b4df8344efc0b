package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tracked = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
[track.file]
command = ["/bin/sh", "-c", "! test -e DIR/$TANDEM_NODE-is-unwell"]
interval = "100ms"
`

// What a balancer needs fails at the active alone: it hands over, losing nothing, and keeps
// the peer active when it is well again.
func TestE10AFailingTrackHandsTheVIPToAFitterPeer(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // the programs may run as another user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.conf = strings.ReplaceAll(tracked, "DIR", dir)
	active := s.pair()
	state := func(want string) {
		t.Helper()
		s.until("the track of "+active+" is "+want, func() (bool, string) {
			st, err := s.status(active)
			if err != nil || len(st.Tracks) != 1 {
				return false, "no track in the status"
			}
			return st.Tracks[0].State == want, st.Tracks[0].State + " " + st.Tracks[0].Reason
		})
	}
	state("up")
	unwell := filepath.Join(dir, active+"-is-unwell")
	noFailures(t, s, func() {
		if err := os.WriteFile(unwell, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		state("down")
		s.untilOwnedBy(other(active))
	})
	if err := os.Remove(unwell); err != nil {
		t.Fatal(err)
	}
	state("up")
	if st, err := s.status(other(active)); err != nil || !strings.Contains(st.Groups[0].Reason, active) {
		t.Errorf("the peer is active because %q (%v), want that %s gave it up", st.Groups[0].Reason, err, active)
	}
}
