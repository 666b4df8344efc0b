package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process returns the pid, as the test sees it, of one of a balancer's three processes.
func (s *site) process(lb, name string) int {
	s.t.Helper()
	keeper := s.procs[lb].Pid()
	if name == "keeper" {
		return keeper
	}
	all := s.processes(lb, name)
	if len(all) == 0 {
		s.t.Fatalf("the keeper of %s has no child %s", lb, name)
	}
	return all[0]
}

// processes are the keeper's children of that name.
func (s *site) processes(lb, name string) (all []int) {
	s.t.Helper()
	for _, pid := range s.childrenOf(s.procs[lb].Pid()) {
		if args := s.args(pid); len(args) > 1 && args[1] == name {
			all = append(all, pid)
		}
	}
	return all
}

func (s *site) kill(pid int) {
	s.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}

// untilRestarted waits until the keeper of lb has another, ready child of that name.
func (s *site) untilRestarted(lb, name string, times int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s's %s was restarted and is ready", lb, name), func() (bool, string) {
		st, err := s.status(lb)
		if err != nil {
			return false, err.Error()
		}
		for _, p := range st.Processes {
			if p.Name == name {
				return p.Ready && p.Restarts == times, fmt.Sprintf("%+v", p)
			}
		}
		return false, fmt.Sprintf("%+v", st.Processes)
	})
}

func newPair(t *testing.T) (s *site, active string) {
	s = newSite(t)
	return s, s.pair()
}

// pair starts two balancers and two apps, and returns the active when all know each other.
func (s *site) pair() (active string) {
	s.t.Helper()
	s.startLB("lb1", "lb2")
	return s.settled()
}

// settled starts two apps, and returns the active when all know each other.
func (s *site) settled() (active string) {
	s.t.Helper()
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	active = s.untilOwnedBy("")
	s.until("the backup hears the active and sees the apps", func() (bool, string) {
		if owner := s.owner(); owner == other(active) {
			s.t.Fatalf("the VIP moved from %s to %s during the start", active, owner)
		}
		st, err := s.status(other(active))
		if err != nil || len(st.Groups) == 0 || len(st.Pools) == 0 {
			return false, fmt.Sprint(err)
		}
		up := 0
		for _, b := range st.Pools[0].Backends {
			if b.State == "up" {
				up++
			}
		}
		return st.Groups[0].State == "backup" && st.Groups[0].Active == active && up == 2, fmt.Sprintf("%s owns it; %+v", active, st)
	})
	return active
}

func TestADeadControlProcessMovesNothing(t *testing.T) {
	s, active := newPair(t)
	tally := s.load(func() {
		s.kill(s.process(active, "control"))
		s.untilRestarted(active, "control", 1)
		s.untilServedBy("web1", "web2")
	})
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	if holder := s.untilOwnedBy(""); holder != active {
		t.Errorf("the VIP moved from %s to %s", active, holder)
	}
	// The new one knows the cluster again, and what it tells the proxy reaches it.
	s.startApp("web3")
	s.untilServedBy("web1", "web2", "web3")
}

// Whose proxy died asks to be relieved. It may claim again when the peer has not for 0.1 s, as on
// a busy machine: so it has more than one chance.
func TestADeadProxyHandsTheVIPToAFitPeer(t *testing.T) {
	s, active := newPair(t)
	s.untilLinked(active)
	for try := 1; ; try++ {
		s.kill(s.process(active, "proxy"))
		back := false
		s.until("the peer has the VIP, or nobody was quick enough", func() (bool, string) {
			out := s.logs[active].tail()
			back = strings.Count(out, "from=backup to=active") > try // the first was the start
			return back || s.owner() == other(active), out
		})
		s.untilServedBy("web1", "web2")
		s.untilRestarted(active, "proxy", try)
		if !back {
			s.untilOwnedBy(other(active))
			return
		}
		if try == 3 {
			t.Fatalf("%s has the VIP still; want the peer, which is fit", active)
		}
	}
}

func TestADeadProxyWithoutAPeerIsStartedAgain(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.kill(s.process("lb1", "proxy"))
	s.untilRestarted("lb1", "proxy", 1)
	s.untilServedBy("web1")
	s.untilOwnedBy("lb1") // there was nobody to give it to
}

func TestADeadKeeperIsReplacedByThePeer(t *testing.T) {
	s, active := newPair(t)
	proxy := s.process(active, "proxy")
	killed := time.Now()
	s.kill(s.process(active, "keeper"))
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	if args := s.args(proxy); len(args) < 2 || args[1] != "proxy" {
		t.Errorf("the proxy ended with its keeper; want it to serve on for orphan_time")
	}
	if most := s.mostOwners(killed); most > 1 {
		t.Errorf("the VIP had %d owners at once: a dead keeper did not let go", most)
	}
	s.until("the orphaned proxy has ended", func() (bool, string) { return len(s.args(proxy)) == 0, "it runs" })
}

func TestADeadControlProcessWithoutAPeerMovesNothing(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	noFailures(t, s, func() {
		s.kill(s.process("lb1", "control"))
		s.untilRestarted("lb1", "control", 1)
		s.untilServedBy("web1")
	})
	s.untilOwnedBy("lb1")
	s.startApp("web2") // it is heard again
	s.untilServedBy("web1", "web2")
}

// Whoever supervises the balancer starts it again; nobody else could.
func TestADeadKeeperWithoutAPeerServesAgainWhenItIsStarted(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.kill(s.process("lb1", "keeper"))
	s.ended("lb1")
	s.until("nobody owns the VIP", func() (bool, string) { return s.owner() == "", s.owner() })
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1")
}

// The power of both goes, and comes back. The apps were running all the time.
func TestBothBalancersRestartAtOnce(t *testing.T) {
	s, _ := newPair(t)
	for _, lb := range balancers {
		s.power(lb, false)
	}
	time.Sleep(time.Second) // the outage itself: the apps find out, or do not quite
	on := time.Now()
	for _, lb := range balancers {
		s.power(lb, true)
		s.startLB(lb)
	}
	s.untilServedBy("web1", "web2")
	t.Logf("served again %v after the power was back", time.Since(on))
	s.untilOwnedBy("")
	if most := s.mostOwners(on); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

func TestASecondBalancerOnAHostHarmsNothing(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	first := s.procs["lb1"]
	tally := s.load(func() {
		s.startLB("lb1")
		if err := s.ended("lb1"); err == nil {
			t.Error("a second tandem lb on the same host ended without an error")
		}
	})
	s.procs["lb1"] = first
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1")
}

// A killed keeper leaves its host silent about the VIP, on purpose. 'tandem release' undoes
// that, and refuses while a balancer runs.
func TestReleaseClearsWhatAKilledBalancerLeft(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	if out, err := s.tandem("lb1", "release", vip.String()); err == nil {
		t.Errorf("release while a balancer runs: %q, want a refusal", out)
	}
	s.untilOwnedBy("lb1")
	s.kill(s.process("lb1", "keeper"))
	if err := s.ended("lb1"); err == nil {
		t.Fatal("the killed keeper ended well")
	}
	s.until("nobody owns the VIP", func() (bool, string) { return s.owner() == "", s.owner() })
	out, err := s.tandem("lb1", "release", vip.String())
	if err != nil || out == "" {
		t.Fatalf("release: %q, %v", out, err)
	}
	addrs, err := s.hosts["lb1"].Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if a.Addr() == vip {
			t.Error("the VIP is on the interface after its release")
		}
	}
	if out, err := s.tandem("lb1", "release", vip.String()); err != nil || !strings.Contains(out, "nothing was left") {
		t.Errorf("a second release: %q, %v; want that nothing was left", out, err)
	}
}
