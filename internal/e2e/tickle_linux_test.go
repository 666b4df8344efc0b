package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// waiters are clients that wait for a slow answer.
type waiters struct {
	s    *site
	ends chan ending
	n    int
}

// ending is how a client's waiting ended, and when.
type ending struct {
	err error
	at  time.Time
}

// learntMax is long before a client that nobody tells gives up (patience), and long enough for a
// busy machine; it takes milliseconds.
const learntMax = 10 * time.Second

// wait has n clients ask for an answer that takes 8 s.
func (s *site) wait(n int) *waiters {
	s.t.Helper()
	w := &waiters{s: s, ends: make(chan ending, n), n: n}
	for range n {
		c, err := s.dial()
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { c.Close() })
		go func() {
			_, err := c.get("/slow?ms=8000")
			w.ends <- ending{err, time.Now()}
		}()
	}
	return w
}

// reset returns when the last of them learnt that its connection was gone.
func (w *waiters) reset() (last time.Time) {
	w.s.t.Helper()
	for range w.n {
		e := <-w.ends
		if e.err == nil {
			w.s.t.Error("an answer came from a balancer that had no power")
		}
		if e.at.After(last) {
			last = e.at
		}
	}
	return last
}

// untilKnown waits until a balancer knows n connections of its peer.
func (s *site) untilKnown(lb string, n int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s knows %d connections of its peer", lb, n), func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint(err)
		}
		return st.Groups[0].Tickle.Known == n, fmt.Sprintf("%+v", st.Groups[0].Tickle)
	})
}

// Clients that wait for an answer of a balancer that lost its power learn from the next one that
// they wait in vain, and come again (§9).
func TestClientsOfALostBalancerDoNotHang(t *testing.T) {
	for name, crash := range map[string]func(s *site, lb string){
		"its power":  func(s *site, lb string) { s.power(lb, false) },
		"its keeper": func(s *site, lb string) { s.kill(s.process(lb, "keeper")) },
	} {
		t.Run(name, func(t *testing.T) {
			s, active := newKeyedPair(t)
			w := s.wait(20)
			s.untilKnown(other(active), 20)
			crash(s, active)
			s.untilOwnedBy(other(active))
			st, err := s.status(other(active))
			if err != nil {
				t.Fatal(err)
			}
			took := w.reset().Sub(st.Groups[0].Since)
			t.Logf("the last of 20 clients learnt it %v after the takeover", took)
			if took > learntMax {
				t.Errorf("the last client learnt it %v after the takeover", took)
			}
			if err := s.keepAlives(1)[0].ask(); err != nil {
				t.Errorf("a client that comes again: %v", err)
			}
			s.until("it is counted", func() (bool, string) {
				st, err := s.status(other(active))
				return err == nil && st.Groups[0].Tickle.Sent == 20, fmt.Sprintf("%+v, %v", st.Groups[0].Tickle, err)
			})
		})
	}
}

// After a move in good order nobody is told anything: the connections live.
func TestAHandoverTicklesNobody(t *testing.T) {
	s, active := newPair(t)
	w := s.wait(5)
	s.untilKnown(other(active), 5)
	s.signal(active, syscall.SIGTERM)
	s.untilOwnedBy(other(active))
	for range w.n {
		if e := <-w.ends; e.err != nil {
			t.Errorf("a client that waited: %v", e.err)
		}
	}
	if err := s.ended(active); err != nil {
		t.Errorf("%s ended with %v", active, err)
	}
	st, err := s.status(other(active))
	if err != nil || st.Groups[0].Tickle.Sent != 0 {
		t.Errorf("status: %+v, %v; want that nobody was told", st.Groups[0].Tickle, err)
	}
}

// The same for clients of a balancer that has handed over, and loses its power while it drains.
func TestClientsOfALostDrainDoNotHang(t *testing.T) {
	s, active := newKeyedPair(t)
	w := s.wait(20)
	s.untilKnown(other(active), 20)
	if out, err := s.tandem(active, "handover"); err != nil {
		t.Fatalf("handover: %q, %v", out, err)
	}
	s.untilOwnedBy(other(active))
	lost := time.Now()
	s.power(active, false)
	took := w.reset().Sub(lost)
	t.Logf("the last of 20 clients learnt it %v after the power was lost", took)
	if took > learntMax {
		t.Errorf("the last client learnt it after %v", took)
	}
}
