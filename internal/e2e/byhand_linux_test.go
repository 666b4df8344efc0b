package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestBackendsSetByHandAreSoOnBothBalancersAndAfterAFailover(t *testing.T) {
	s, active := newPair(t)
	backup := other(active)
	order := func(lb string, args ...string) string {
		t.Helper()
		out, err := s.tandem(lb, args...)
		if err != nil {
			t.Fatalf("%v on %s: %q, %v", args, lb, out, err)
		}
		return out
	}
	stateOn := func(lb, id string) (state string) {
		st, err := s.status(lb)
		if err != nil {
			return err.Error()
		}
		for _, p := range st.Pools {
			for _, b := range p.Backends {
				if b.ID == id {
					state = b.State
				}
			}
		}
		return state
	}
	bothSay := func(id, want string) {
		t.Helper()
		for _, lb := range []string{"lb1", "lb2"} {
			s.until(lb+" says that "+id+" is "+want, func() (bool, string) { got := stateOn(lb, id); return got == want, got })
		}
	}

	// A request under way ends; others go elsewhere at once.
	c := s.company()
	c.keep(4, "/slow?ms=1000", 0)
	c.underWay()
	if out := order(backup, "drain", "web1-3000"); !strings.Contains(out, active+" did the same") {
		t.Errorf("drain says %q, and not that %s was told", out, active)
	}
	bothSay("web1-3000", "drain")
	s.untilServedBy("web2")
	c.end()
	if out := order(active, "status"); !strings.Contains(out, "web1-3000: drain by hand, set by uid 0") || !strings.Contains(out, "on "+backup) {
		t.Errorf("status does not say who drained it:\n%s", out)
	}
	if out := order(active, "maint", "192.168.42.22:3000"); !strings.Contains(out, "no backend of this pool is left") {
		t.Errorf("that nobody is left is not told: %q", out)
	}
	bothSay("web2-3000", "maint")
	order(active, "ready", "web1-3000")
	bothSay("web1-3000", "up")
	s.untilServedBy("web1")

	// The one that takes over does the same, and the one that comes back, with nothing kept, learns it.
	s.signal(active, syscall.SIGKILL)
	s.ended(active)
	s.untilServedBy("web1")
	s.startLB(active)
	bothSay("web2-3000", "maint")
	order(backup, "ready", "web/web2-3000")
	bothSay("web2-3000", "up")

	// Shares.
	order(active, "weight", "web1-3000", "200")
	order(active, "weight", "web2-3000", "50")
	s.until("web1 has four shares of five", func() (bool, string) {
		from := map[string]int{}
		for range 50 {
			app, err := s.get()
			if err != nil {
				return false, err.Error()
			}
			from[app]++
		}
		return from["web1"] >= 36 && from["web1"] <= 44, fmt.Sprint(from)
	})
	if out := order(active, "timeline", "--kind", "order"); !strings.Contains(out, "weight 200 web1-3000 by uid 0") {
		t.Errorf("the timeline does not tell who gave the order:\n%s", out)
	}
}
