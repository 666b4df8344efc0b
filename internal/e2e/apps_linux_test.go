package e2e

import (
	"syscall"
	"testing"
)

// TestAnAppThatEndsUnderLoadCostsNoGET ends one of two apps in each way that leaves its
// kernel alive to answer for it. Whoever asks must not notice.
func TestAnAppThatEndsUnderLoadCostsNoGET(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(s *site)
	}{
		{"the agent is told to stop", func(s *site) {
			s.signal("web1", syscall.SIGTERM)
			s.ended("web1")
		}},
		{"the agent is killed and takes the app along", func(s *site) {
			s.signal("web1", syscall.SIGKILL)
			s.ended("web1")
		}},
		{"the app is killed and started again", func(s *site) {
			app := s.childrenOf(s.procs["web1"].Pid())
			if len(app) != 1 {
				s.t.Fatalf("the agent has children %v, want the app alone", app)
			}
			if err := syscall.Kill(app[0], syscall.SIGKILL); err != nil {
				s.t.Fatal(err)
			}
			s.until("the agent has started the app again", func() (bool, string) {
				now := s.childrenOf(s.procs["web1"].Pid())
				return len(now) == 1 && now[0] != app[0], ""
			})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			s.startLB("lb1")
			s.startApp("web1", "web2")
			s.untilServedBy("web1", "web2")
			tally := s.load(func() {
				tc.end(s)
				if tc.name != "the app is killed and started again" {
					s.untilServedBy("web2")
				} else {
					s.untilServedBy("web1", "web2")
				}
			})
			if tally.Failed != 0 {
				t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
			}
		})
	}
}
