package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// key makes a balancer key's line from one byte.
func key(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }

// keyFile writes a file of keys and returns its path.
func (s *site) keyFile(name string, keys ...string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// newKeyedPair is newPair with a balancer key.
func newKeyedPair(t *testing.T) (s *site, active string) {
	s = newSite(t)
	s.extra = []string{"--balancer-key-file", s.keyFile("key", key('a'))}
	return s, s.pair()
}

// untilHeard waits until a balancer hears its peer, and returns its status.
func (s *site) untilHeard(lb string, state string) (st status) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is %s and hears its peer", lb, state), func() (bool, string) {
		var err error
		if st, err = s.status(lb); err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint(err)
		}
		g := st.Groups[0]
		return g.State == state && len(g.Peers) == 1 && g.Peers[0].HeardAgo < 500*time.Millisecond, fmt.Sprintf("%+v", g)
	})
	return st
}

// restart ends a balancer in good order and starts it again.
func (s *site) restart(lb string) {
	s.t.Helper()
	s.signal(lb, syscall.SIGTERM)
	if err := s.ended(lb); err != nil {
		s.t.Fatalf("%s: %v", lb, err)
	}
	s.startLB(lb)
}

// A pair with keys does what one without does: it finds a session at once, whoever starts or restarts.
func TestE2APairWithKeysTakesOver(t *testing.T) {
	s, active := newKeyedPair(t)
	if st := s.untilHeard(active, "active"); !st.Authenticated {
		t.Error("adverts are unauthenticated in spite of a key")
	}
	killed := time.Now()
	s.kill(s.process(active, "keeper"))
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	if err := s.ended(active); err == nil {
		t.Fatal("the killed keeper ended well")
	}
	s.startLB(active)
	s.untilHeard(active, "backup")
	s.untilHeard(other(active), "active")
	s.stays(other(active), 500*time.Millisecond)
	if most := s.mostOwners(killed); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
	s.power(other(active), false)
	s.untilOwnedBy(active)
	s.untilServedBy("web1", "web2")
}

// Keys rotate without a gap: whoever restarts with the next list finds the one that has not (E2).
func TestE2KeysRotateOneNodeAtATime(t *testing.T) {
	s, active := newKeyedPair(t)
	began := time.Now()
	for _, keys := range [][]string{{key('a'), key('b')}, {key('b'), key('a')}, {key('b')}} {
		s.extra = []string{"--balancer-key-file", s.keyFile("key", keys...)}
		backup := other(active)
		s.restart(backup)
		s.untilHeard(backup, "backup")
		s.untilHeard(active, "active")
		s.restart(active) // it hands over
		st := s.untilHeard(backup, "active")
		if reason := st.Groups[0].Reason; !strings.Contains(reason, "handover") && !strings.Contains(reason, "yield") {
			t.Errorf("%s is active since %q; want that it was asked to", backup, reason)
		}
		s.untilHeard(active, "backup")
		active = backup
	}
	if most := s.mostOwners(began); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

// A backup that starts while it and the active cannot reach each other agrees on a session with it
// through members of the cluster, and so learns that there is an active (E2, E4).
func TestE2ASessionIsAgreedThroughMembersToo(t *testing.T) {
	s := newSite(t)
	s.extra = []string{"--balancer-key-file", s.keyFile("key", key('a')), "--join", "192.168.42.21"} // web1's agent
	active := s.pair()
	backup := other(active)
	s.signal(backup, syscall.SIGTERM)
	if err := s.ended(backup); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	if err := s.hosts[active].CutLink(s.hosts[backup]); err != nil {
		t.Fatal(err)
	}
	s.startLB(backup)
	if st := s.untilHeard(backup, "backup"); st.Groups[0].Active != active {
		t.Errorf("%s takes %q for active, want %s", backup, st.Groups[0].Active, active)
	}
	s.stays(active, 500*time.Millisecond)
	if err := s.hosts[active].HealLink(s.hosts[backup]); err != nil {
		t.Fatal(err)
	}
	s.until("adverts come again", func() (bool, string) {
		st, err := s.status(backup)
		return err == nil && st.Adverts.Heard > 0, fmt.Sprintf("%+v", st.Adverts)
	})
	s.stays(active, 200*time.Millisecond)
	if most := s.mostOwners(cut); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}
