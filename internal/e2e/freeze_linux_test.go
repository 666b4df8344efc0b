package e2e

import (
	"syscall"
	"testing"
)

// freeze stops a keeper until the kernel has let go of its VIP, and lets it go on.
func (s *site) freeze(lb string) {
	s.t.Helper()
	s.signal(lb, syscall.SIGSTOP)
	s.until("the kernel has ended the lease of "+lb, func() (bool, string) {
		for _, h := range s.holders() {
			if h == lb {
				return false, "it holds the VIP"
			}
		}
		return true, ""
	})
	s.signal(lb, syscall.SIGCONT)
}

func TestAFrozenKeeperWithoutAPeerTakesItsVIPBackOnThaw(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.freeze("lb1")
	s.untilHeldBy("lb1")
	s.untilServedBy("web1")
}

func TestAFrozenKeeperWithAPeerIsBackupOnThaw(t *testing.T) {
	s, active := newPair(t)
	s.freeze(active)
	s.untilHeldBy(other(active))
	s.until(active+" knows that it is backup", func() (bool, string) {
		st, err := s.status(active)
		if err != nil || len(st.Groups) == 0 {
			return false, "no status"
		}
		return st.Groups[0].State == "backup" && st.Groups[0].Active == other(active), st.Groups[0].State
	})
	s.untilServedBy("web1", "web2")
	if h := s.holders(); len(h) != 1 {
		t.Errorf("the VIP is held by %v, want one", h)
	}
}
