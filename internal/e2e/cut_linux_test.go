package e2e

import (
	"testing"
	"time"
)

// stays checks that a node owns the VIP alone for all of d.
func (s *site) stays(owner string, d time.Duration) {
	s.t.Helper()
	began := time.Now()
	for time.Since(began) < d {
		time.Sleep(20 * time.Millisecond)
		if o := s.owner(); o != "" && o != owner {
			s.t.Fatalf("%v after the cut %s owns the VIP, want %s", time.Since(began), o, owner)
		}
	}
	if most := s.mostOwners(began); most > 1 {
		s.t.Errorf("the VIP had %d owners at once", most)
	}
	s.untilOwnedBy(owner)
}

// The balancers cannot hear each other, but apps and clients reach both: the backup finds
// out through the apps that the active lives (E4).
func TestE4ACutBetweenTheBalancersMovesNothing(t *testing.T) {
	s, active := newPair(t)
	tally := s.load(func() {
		if err := s.hosts["lb1"].CutLink(s.hosts["lb2"]); err != nil {
			t.Fatal(err)
		}
		s.stays(active, 2*time.Second)
		if err := s.hosts["lb1"].HealLink(s.hosts["lb2"]); err != nil {
			t.Fatal(err)
		}
		s.stays(active, time.Second)
	})
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}

// A backup that receives nothing must not take the VIP from a healthy active (E5).
func TestE5ADeafBackupTakesNothing(t *testing.T) {
	s, active := newPair(t)
	backup := s.hosts[other(active)]
	tally := s.load(func() {
		for name, h := range s.hosts {
			if h != backup {
				if err := h.Drop(backup); err != nil {
					t.Fatalf("drop frames from %s: %v", name, err)
				}
			}
		}
		s.stays(active, 2*time.Second)
		for _, h := range s.hosts {
			if h != backup {
				if err := h.Undrop(backup); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.stays(active, time.Second)
	})
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}

// An active whose port goes down is replaced, and is backup when the port is back: never
// two owners, and the winner is heard (E8).
func TestE8AnActiveThatWasCutOffIsBackupAfterwards(t *testing.T) {
	s, active := newPair(t)
	cut := time.Now()
	if err := s.hosts[active].PortDown(); err != nil {
		t.Fatal(err)
	}
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	if err := s.hosts[active].PortUp(); err != nil {
		t.Fatal(err)
	}
	s.until(active+" knows that it is backup", func() (bool, string) {
		st, err := s.status(active)
		if err != nil || len(st.Groups) == 0 {
			return false, "no status"
		}
		return st.Groups[0].State == "backup", st.Groups[0].State
	})
	s.stays(other(active), time.Second)
	s.untilServedBy("web1", "web2")
	if most := s.mostOwners(cut); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}
