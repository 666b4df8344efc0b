package e2e

import (
	"syscall"
	"testing"
)

// A balancer that was restarted asks the apps that it knew: this one would never find it.
func TestABalancerRemembersTheAppsInItsStateDirectory(t *testing.T) {
	s := newSite(t)
	s.extra = []string{"--state", t.TempDir()}
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	for _, host := range []string{"lb1", "web1"} {
		s.signal(host, syscall.SIGTERM)
		if err := s.ended(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	nobody := "192.168.42.99"
	s.startAppJoining(nobody, "web1")
	s.startLB("lb1")
	s.untilServedBy("web1")
}
