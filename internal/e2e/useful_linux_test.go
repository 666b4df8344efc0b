package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// newTwoSegmentPair is a pair with keys whose balancers have a segment of their own beside the VIP's.
func newTwoSegmentPair(t *testing.T) (s *site, active string) {
	s = newSiteOn(t, lab.Config{Segments: []string{"front", "back"}})
	for _, lb := range balancers {
		if err := s.hosts[lb].Attach("back", netip.MustParsePrefix(fmt.Sprintf("10.9.0.%d/24", numbers[lb]))); err != nil {
			t.Fatal(err)
		}
	}
	s.extra = []string{"--join", "10.9.0.11,10.9.0.12", "--balancer-key-file", s.keyFile("key", key('a'))}
	return s, s.pair()
}

// An active whose adverts arrive, but whose frames do not on the VIP's segment, yields in good
// order, and says why (E6). It hears the others' broadcasts there, so it is not isolated (E12).
func TestE6AnActiveThatIsOfNoUseYields(t *testing.T) {
	s, active := newTwoSegmentPair(t)
	cut := time.Now()
	if err := s.hosts[active].SilenceOn("front"); err != nil {
		t.Fatal(err)
	}
	s.untilOwnedBy(other(active))
	t.Logf("the VIP moved %v after the cut", time.Since(cut)) // 1.5 s on a machine that does nothing else
	s.untilServedBy("web1", "web2")
	st := s.untilHeard(other(active), "active")
	if reason := st.Groups[0].Reason; !strings.Contains(reason, "yield") {
		t.Errorf("%s is active since %q; want that it was asked to be", other(active), reason)
	}
	if out := s.logs[active].tail(); !strings.Contains(out, "not-useful") {
		t.Errorf("%s does not say why it yielded", active)
	}
	if err := s.hosts[active].Reattach("front"); err != nil {
		t.Fatal(err)
	}
	s.stays(other(active), time.Second)
	if most := s.mostOwners(cut); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

// A backup that is cut off itself has no cause for complaint (E6).
func TestE6ABackupThatIsOfNoUseAsksForNothing(t *testing.T) {
	s, active := newTwoSegmentPair(t)
	tally := s.load(func() {
		if err := s.hosts[other(active)].CutOff("front"); err != nil {
			t.Fatal(err)
		}
		s.stays(active, 3*time.Second)
		if err := s.hosts[other(active)].Reattach("front"); err != nil {
			t.Fatal(err)
		}
		s.stays(active, time.Second)
	})
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}
