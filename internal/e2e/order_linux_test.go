package e2e

import (
	"syscall"
	"testing"
)

// The lab that Tandem grew out of listed an app only if it started after the balancer,
// and kept one listed that had left while the balancer was down. These are its four cases.

func TestBalancerFirst(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
}

func TestBalancerLeavesWhileAnAppJoins(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1", "lb2")
	active := s.untilOwnedBy("")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.startApp("web2")
	s.signal(active, syscall.SIGTERM)
	if err := s.ended(active); err != nil {
		t.Errorf("the balancer that was told to leave ended with: %v", err)
	}
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
}

func TestBalancerDownWhileAnAppJoins(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.power("lb1", false)
	s.startApp("web2")
	s.signal("web1", syscall.SIGTERM) // and one leaves meanwhile
	if err := s.ended("web1"); err != nil {
		t.Errorf("the agent that was told to leave ended with: %v", err)
	}
	s.power("lb1", true)
	s.startLB("lb1")
	s.untilServedBy("web2")
}

func TestAppsBeforeTheBalancer(t *testing.T) {
	s := newSite(t)
	s.startApp("web1", "web2")
	s.until("both apps wait for a balancer", func() (bool, string) {
		for _, h := range []string{"web1", "web2"} {
			if s.logs[h].tail() == "" {
				return false, h + " has written nothing yet"
			}
		}
		return true, ""
	})
	s.startLB("lb1", "lb2")
	s.untilOwnedBy("")
	s.untilServedBy("web1", "web2")
}

// Two balancers without a list of seeds find each other on the VIP's segment, so that
// there is one active all the same.
func TestBalancersFindEachOtherWithoutAList(t *testing.T) {
	s := newSite(t)
	for _, lb := range []string{"lb1", "lb2"} {
		s.start(lb, "lb", "--vip", vip.String(), "--listen", ":80", "--pool", "web", "--backend", "192.168.42.21:3000")
	}
	s.start("web1", "webapp", "--listen", ":3000", "--name", "web1")
	active := s.untilOwnedBy("")
	for _, lb := range []string{"lb1", "lb2"} {
		s.until(lb+" knows who is active", func() (bool, string) {
			st, err := s.status(lb)
			if err != nil || len(st.Groups) == 0 {
				return false, "no status"
			}
			return st.Groups[0].Active == active, st.Groups[0].Active
		})
	}
	s.untilServedBy("web1")
	s.power(active, false)
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1")
}
