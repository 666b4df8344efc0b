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
	s.untilHeldBy("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
}

func TestBalancerLeavesWhileAnAppJoins(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1", "lb2")
	active := s.untilHeldBy("")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.startApp("web2")
	s.signal(active, syscall.SIGTERM)
	if err := s.ended(active); err != nil {
		t.Errorf("the balancer that was told to leave ended with: %v", err)
	}
	s.untilHeldBy(other(active))
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
	s.untilHeldBy("")
	s.untilServedBy("web1", "web2")
}
