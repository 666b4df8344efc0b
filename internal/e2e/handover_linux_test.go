package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// handovers is how often the VIP moves in one test, there and back again.
const handovers = 9

// A planned move breaks no connection, whichever node is asked, and also back again while the
// other one still drains.
func TestTheVIPIsHandedOverUnderLoadAndNothingIsLost(t *testing.T) {
	s, active := newPair(t)
	c := s.company()
	c.keep(10, "/", 20*time.Millisecond)
	c.keep(20, "/slow?ms=3000", 0)
	tally := s.load(func() {
		for i := range handovers {
			at := active
			if i%2 == 1 {
				at = other(active)
			}
			s.moveAsking(active, at)
			active = other(active)
			s.untilOwnedBy(active)
			if i%3 == 2 {
				s.untilDrained(other(active))
			}
		}
	})
	c.end()
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	if c.moved < 10 {
		t.Errorf("%d kept connections were ended behind an answer, want each of 30 at least once: nothing was drained", c.moved)
	}
}

// The same for a balancer that is told to end: it hands over, drains, and only then ends.
func TestABalancerThatEndsInOrderLosesNothing(t *testing.T) {
	s, active := newPair(t)
	c := s.company()
	c.keep(10, "/", 20*time.Millisecond)
	c.keep(20, "/slow?ms=3000", 0)
	tally := s.load(func() {
		s.signal(active, syscall.SIGTERM)
		if err := s.ended(active); err != nil {
			t.Errorf("it ended with %v", err)
		}
		s.untilOwnedBy(other(active))
	})
	c.end()
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	if c.moved < 30 {
		t.Errorf("%d kept connections were ended behind an answer, want each of 30", c.moved)
	}
}

// Whoever cannot wait for the end of the drain says it twice; what is left of connections is cut.
func TestASecondSIGTERMEndsABalancerAtOnce(t *testing.T) {
	s, active := newPair(t)
	s.untilLinked(active)
	conns := s.keepAlives(5) // idle, so that a drain lasts for a minute
	s.signal(active, syscall.SIGTERM)
	s.untilOwnedBy(other(active))
	s.untilState(active, "draining")
	said := time.Now()
	s.signal(active, syscall.SIGTERM)
	if err := s.ended(active); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(said); took > 10*time.Second {
		t.Errorf("it ended only %v after the second SIGTERM", took)
	}
	if err := conns[0].ask(); err == nil {
		t.Error("a connection of a balancer that has ended goes on")
	}
	s.untilServedBy("web1", "web2")
	s.untilClean(other(active))
	addrs, err := s.hosts[active].Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if a.Addr() == vip {
			t.Errorf("the VIP is left behind on %s", active)
		}
	}
	if tables := s.askNft(active, "list", "tables"); strings.Contains(tables, "tandem") {
		t.Errorf("%s has tables left: %s", active, tables)
	}
}

// untilDrained waits until a balancer has ended all that it had.
func (s *site) untilDrained(host string) {
	s.t.Helper()
	s.until(host+" has drained", func() (bool, string) {
		st, err := s.status(host)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint(err)
		}
		return st.Groups[0].State == "backup", st.Groups[0].State
	})
}

func TestAHandoverThatCannotBeIsRefusedWithTheReason(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	out, err := s.tandem("lb1", "handover")
	if err == nil || !strings.Contains(err.Error(), "no other node is there") || !strings.Contains(err.Error(), "tandem status") {
		t.Errorf("a lone node was asked to hand over: %q, %v", out, err)
	}
	s.untilOwnedBy("lb1")
}
