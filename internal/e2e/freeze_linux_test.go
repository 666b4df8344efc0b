package e2e

import (
	"syscall"
	"testing"
	"time"
)

// freeze stops a keeper until the VIP has another owner, or none, for a while, and lets it
// go on.
func (s *site) freeze(lb string) (thawed time.Time) {
	s.t.Helper()
	s.signal(lb, syscall.SIGSTOP)
	s.until(lb+" no longer owns the VIP", func() (bool, string) { return s.owner() != lb, "it does" })
	s.signal(lb, syscall.SIGCONT)
	return time.Now()
}

func TestAFrozenKeeperWithoutAPeerOwnsItsVIPAgainOnThaw(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.untilOwnedBy("lb1")
	s.freeze("lb1")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1")
}

func TestAFrozenKeeperWithAPeerIsBackupOnThaw(t *testing.T) {
	s, active := newPair(t)
	frozen := time.Now()
	s.signal(active, syscall.SIGSTOP)
	s.untilOwnedBy(other(active))
	s.signal(active, syscall.SIGCONT)
	s.until(active+" knows that it is backup", func() (bool, string) {
		st, err := s.status(active)
		if err != nil || len(st.Groups) == 0 {
			return false, "no status"
		}
		return st.Groups[0].State == "backup" && st.Groups[0].Active == other(active), st.Groups[0].State
	})
	s.untilServedBy("web1", "web2")
	s.untilOwnedBy(other(active))
	if most := s.mostOwners(frozen); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}
