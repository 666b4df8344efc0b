package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A balancer in maintenance has handed its VIP over, and is no candidate for it until that ends,
// not even when the other one is gone.
func TestABalancerInMaintenanceIsNoCandidate(t *testing.T) {
	s, active := newPair(t)
	s.untilLinked(active)
	tally := s.load(func() {
		s.streams(vip, func() {
			out, err := s.tandem(active, "maint", "on")
			if err != nil || !strings.Contains(out, "no connection was lost") || !strings.Contains(out, active+" is in maintenance") {
				t.Errorf("maint on: %q, %v", out, err)
			}
			s.untilOwnedBy(other(active))
		})
		s.until("status says since when, and fitness 0", func() (bool, string) {
			st, err := s.status(active)
			return err == nil && !st.Maint.IsZero() && st.Groups[0].Fitness == 0, fmt.Sprintf("%+v, %v", st, err)
		})
		if out, err := s.tandem(other(active), "handover"); err == nil || !strings.Contains(err.Error(), "cannot take over") && !strings.Contains(err.Error(), "could serve") {
			t.Errorf("a handover to a node in maintenance: %q, %v", out, err)
		}
		if out, err := s.tandem(other(active), "maint", "on"); err == nil || !strings.Contains(err.Error(), "not in maintenance") {
			t.Errorf("maintenance of the last one: %q, %v; want that nothing has changed", out, err)
		}
		s.stays(other(active), 500*time.Millisecond)
	})
	s.noneFailed(tally)
	s.kill(s.process(other(active), "keeper"))
	s.until("nobody owns the VIP", func() (bool, string) { return s.owner() == "", s.owner() })
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if o := s.owner(); o != "" {
			t.Fatalf("%s owns the VIP, in maintenance", o)
		}
	}
	if out, err := s.tandem(active, "maint", "off"); err != nil || !strings.Contains(out, "in service again") {
		t.Errorf("maint off: %q, %v", out, err)
	}
	s.untilOwnedBy(active)
	s.untilServedBy("web1", "web2")
}
