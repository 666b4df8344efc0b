package election

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// said makes a message from b, whose boot is that of from.
func said(kind MessageKind, nonce uint64) Said {
	return Said{Node: "b", Boot: 1, Message: Message{Kind: kind, Nonce: nonce, Epoch: 1, For: time.Minute}}
}

// newGiver returns an active that is linked with b, its candidate, and with c.
func newGiver(t *testing.T) *Machine {
	t.Helper()
	m := newActive(t, testConfig())
	m.Step(m.now, Lossless{OK: true})
	for i, node := range []string{"b", "c"} {
		m.Step(m.now, from(node, byte(2+i), backupAdvert()))
		m.Step(m.now, Linked{Node: node, Boot: 1, Up: true})
	}
	return m
}

// newTaker returns a backup of b, with a table and a promise.
func newTaker(t *testing.T) *Machine {
	t.Helper()
	m := newMachine(t, testConfig())
	m.Step(m.now, Lossless{OK: true})
	m.Step(m.now, from("b", 2, activeAdvert(1)))
	m.Step(m.now, said(MsgOffer, 7))
	acts := m.Step(m.now, Prepared{Token: m.token})
	if m.take.phase != takeReady || !tells(acts, MsgReady) {
		t.Fatalf("%+v after Prepared: %+v", m.take, acts)
	}
	return m
}

func tells(acts []Action, kind MessageKind) bool {
	return slices.ContainsFunc(acts, func(a Action) bool { tell, ok := a.(Tell); return ok && tell.Message.Kind == kind })
}

func index[A Action](acts []Action) int {
	return slices.IndexFunc(acts, func(a Action) bool { _, ok := a.(A); return ok })
}

// From the moment in which the other one may claim, nothing is said here.
func TestHandoverFencesBeforeItTellsTheOtherToClaim(t *testing.T) {
	m := newGiver(t)
	if acts := m.Step(m.now, Handover{ID: 1, To: "b"}); !tells(acts, MsgOffer) || m.state != Active {
		t.Fatalf("no offer: %+v", acts)
	}
	if acts := m.Step(m.now, said(MsgReady, m.give.nonce+1)); len(acts) > 0 {
		t.Errorf("an answer to another offer was heeded: %+v", acts)
	}
	acts := m.Step(m.now, said(MsgReady, m.give.nonce))
	if fence, tell := index[Fence](acts), index[Tell](acts); fence < 0 || tell < fence || !tells(acts, MsgTake) || index[Drain](acts) < tell {
		t.Errorf("actions after Ready: %+v", acts)
	}
	if s := m.Status(); s.State != Draining || !s.Fenced {
		t.Errorf("%+v", s)
	}
}

// A shell that was late may hand Take in before the Tick that ends the promise.
func TestHandoverAPromiseEndsThoughNobodyTicked(t *testing.T) {
	m := newTaker(t)
	acts := m.Step(m.take.by, said(MsgTake, 7))
	if index[Claim](acts) >= 0 || !tells(acts, MsgRefuse) {
		t.Errorf("told when the promise had ended: %+v", acts)
	}
	m = newTaker(t)
	if acts := m.Step(m.take.by.Add(-1), said(MsgTake, 7)); index[Claim](acts) < 0 {
		t.Errorf("told in time: %+v", acts)
	}
}

// newForwarder returns an active that has taken over from b, which drains.
func newForwarder(t *testing.T) *Machine {
	t.Helper()
	m := newTaker(t)
	m.Step(m.now, said(MsgTake, 7))
	m.Step(m.now, Claimed{Token: m.token})
	h := from("b", 2, GroupAdvert{State: Draining, Standby: true, Priority: 100, Fitness: 255, Epoch: 2})
	m.Step(m.now, h)
	if m.state != Active || m.take.phase != takeForwards {
		t.Fatalf("%+v, %+v", m.Status(), m.take)
	}
	return m
}

func TestHandoverTheTableGoesWithTheDrain(t *testing.T) {
	for name, ev := range map[string]Event{
		"the drained one says so":           said(MsgDrained, 7),
		"it is a backup":                    from("b", 2, backupAdvert()),
		"it was started anew":               Heard{Node: "b", Boot: 2, Addr: testConfig().Addr.Next(), Interval: 20 * time.Millisecond, Group: GroupAdvert{Name: "vip", State: Draining, Priority: 100, Fitness: 255}},
		"this one releases the VIP":         Serving{OK: false, Reason: "died"},
		"nothing: it is still there":        nil,
		"the drained one says: another's":   said(MsgDrained, 8),
		"the drained one refuses something": said(MsgRefuse, 7),
	} {
		m, want := newForwarder(t), true
		var acts []Action
		switch {
		case ev == nil, strings.HasSuffix(name, "another's"), strings.HasSuffix(name, "something"):
			want = false
		}
		if ev != nil {
			acts = m.Step(m.now, ev)
		}
		if got := index[Forget](acts) >= 0; got != want {
			t.Errorf("%s: forgets %v, want %v; %+v", name, got, want, acts)
		}
	}
	m := newForwarder(t)
	at := m.now
	for index[Forget](m.Tick(at)) < 0 {
		if at = m.Deadline(); at.Sub(epochStart) > time.Minute {
			t.Fatal("a silent node is forwarded to for ever")
		}
	}
}

func TestHandoverWhileOneDrainsNobodyElseIsTakenIn(t *testing.T) {
	m := newForwarder(t)
	m.Step(m.now, from("c", 3, backupAdvert()))
	m.Step(m.now, Linked{Node: "b", Boot: 1, Up: true})
	m.Step(m.now, Linked{Node: "c", Boot: 1, Up: true})
	acts := m.Step(m.now, Handover{ID: 1, To: "c"})
	if i := index[HandedOver](acts); i < 0 || !strings.Contains(acts[i].(HandedOver).Err, "b still drains") {
		t.Errorf("handed over to a third node: %+v", acts)
	}
	if acts := m.Step(m.now, Handover{ID: 2}); !tells(acts, MsgOffer) || m.give.node != "b" {
		t.Errorf("not back to the one that drains: %+v", acts)
	}
}

// What one node would forward does not arrive: connections break at once there, and at another nothing does.
func TestHandoverToANodeThatCannotForwardHereReleasesFirst(t *testing.T) {
	for _, to := range []string{"b", "c"} {
		m := newGiver(t)
		m.Step(m.now, Lossless{To: "b", Reason: "filtered"})
		acts := m.Step(m.now, Handover{ID: 1, To: to})
		if lossy := index[Release](acts) >= 0; lossy != (to == "b") || tells(acts, MsgOffer) == lossy {
			t.Errorf("to %s: %+v", to, acts)
		}
		if to == "b" && !strings.Contains(m.Status().Reason.Detail, "filtered") {
			t.Errorf("the reason is %v, want why connections break", m.Status().Reason)
		}
	}
	m := newGiver(t)
	m.Step(m.now, Lossless{To: "b", Reason: "filtered"})
	m.Step(m.now, Lossless{To: "b", OK: true})
	if acts := m.Step(m.now, Handover{ID: 1, To: "b"}); !tells(acts, MsgOffer) {
		t.Errorf("no offer after the way was clear again: %+v", acts)
	}
}

// Whoever knows that it cannot forward says so at once, and makes no table in vain.
func TestHandoverANodeThatCannotForwardSaysSo(t *testing.T) {
	m := newMachine(t, testConfig())
	m.Step(m.now, Lossless{Reason: "merges packets"})
	m.Step(m.now, from("b", 2, activeAdvert(1)))
	acts := m.Step(m.now, said(MsgOffer, 7))
	i := index[Tell](acts)
	if i < 0 || index[Prepare](acts) >= 0 {
		t.Fatalf("offered, it does %+v, want an answer and no preparation", acts)
	}
	if got := acts[i].(Tell).Message; got.Kind != MsgUnable || got.Text != "merges packets" {
		t.Errorf("it answers %+v, want MsgUnable and why", got)
	}
}

// A busy machine is told too late now and then: who has connections tries again before it cuts any, and whoever
// asked is not told of each attempt.
func TestHandoverIsTriedAgainWhenTheOtherWasToldTooLate(t *testing.T) {
	for _, ends := range []bool{true, false} {
		m := newGiver(t)
		if ends {
			m.Step(m.now, Shutdown{})
		} else {
			m.Step(m.now, Handover{ID: 1, To: "b"})
		}
		for try := 1; ; try++ {
			if m.give.phase != giveOffered || m.give.node != "b" && !ends {
				t.Fatalf("ends %v, attempt %d: %+v", ends, try, m.give)
			}
			to, boot := m.give.node, m.give.boot
			say := func(kind MessageKind) []Action {
				return m.Step(m.now, Said{Node: to, Boot: boot, Message: Message{Kind: kind, Nonce: m.give.nonce}})
			}
			if acts := say(MsgReady); !tells(acts, MsgTake) {
				t.Fatalf("ends %v, attempt %d: %+v", ends, try, acts)
			}
			acts := say(MsgRefuse)
			if ends && try == handoverTries {
				if acts = append(acts, m.Tick(m.now)...); index[Release](acts) < 0 {
					t.Errorf("after %d attempts: %+v; want that it releases and ends", try, acts)
				}
				break
			}
			tickBeside(t, m, func(a Action) bool { _, ok := a.(Claim); return ok })
			acts = m.Step(m.now, Claimed{Token: m.token})
			if got, want := index[HandedOver](acts) >= 0, !ends && try == handoverTries; got != want || m.state != Active {
				t.Fatalf("ends %v, attempt %d: answered %v, %v; %+v", ends, try, got, m.state, acts)
			}
			if try == handoverTries {
				break
			}
			tickBeside(t, m, func(a Action) bool { tell, ok := a.(Tell); return ok && tell.Message.Kind == MsgOffer })
		}
	}
}

// tickBeside lets time pass, with b and c saying that they are backups, until m does what is wanted.
func tickBeside(t *testing.T, m *Machine, wanted func(Action) bool) {
	t.Helper()
	for range 1000 {
		acts := m.Tick(m.Deadline())
		for i, node := range []string{"b", "c"} {
			acts = append(acts, m.Step(m.now, from(node, byte(2+i), backupAdvert()))...)
		}
		if slices.ContainsFunc(acts, wanted) {
			return
		}
	}
	t.Fatalf("it never came: %+v", m.Status())
}

// How long a promise is good depends on how late the two have been, and the one who waits for its end is told.
func TestHandoverABusyPairHasMoreTime(t *testing.T) {
	m := newMachine(t, testConfig())
	m.Step(m.now, Lossless{OK: true})
	h := from("b", 2, activeAdvert(1))
	h.Late = 100 * time.Millisecond
	m.Step(m.now, h)
	m.Step(m.now, said(MsgOffer, 7))
	acts := m.Step(m.now, Prepared{Token: m.token})
	const want = 320 * time.Millisecond // E13's interval + 3 × late
	if i := index[Tell](acts); i < 0 || acts[i].(Tell).Message.For != want || m.take.by.Sub(m.now) != want {
		t.Fatalf("%+v; want a promise for %v", acts, want)
	}
	g := newGiver(t)
	g.Step(g.now, Handover{ID: 1, To: "b"})
	ready := said(MsgReady, g.give.nonce)
	ready.Message.For = want
	g.Step(g.now, ready)
	if wait := g.floor.Sub(g.now); wait < want+2*promise(g.cfg.AdvertInterval) {
		t.Errorf("the giver resumes after %v, when the other one may be claiming still", wait)
	}
}

// A proxy that stands still has connections that may go on; one that has died has none.
func TestE3WhatStandsStillIsHandedOver(t *testing.T) {
	for _, alive := range []bool{true, false} {
		m := newGiver(t)
		acts := m.Step(m.now, Serving{Reason: "loop 0 stands still", Alive: alive})
		if tells(acts, MsgOffer) != alive || (index[Release](acts) >= 0) == alive {
			t.Errorf("alive %v: %+v", alive, acts)
		}
	}
	// The other one has not answered: clients come first.
	m := newGiver(t)
	m.Step(m.now, Serving{Reason: "loop 0 stands still", Alive: true})
	began := m.now
	tickBeside(t, m, func(a Action) bool { _, ok := a.(Release); return ok })
	if waited := m.now.Sub(began); waited > hurriedOffer {
		t.Errorf("released after %v", waited)
	}
	if why := m.Status().Reason.Detail; !strings.Contains(why, "stands still") || !strings.Contains(why, "not lossless") {
		t.Errorf("the reason is %q", why)
	}
	// A handover under way for another reason need not wait any longer, either.
	m = newGiver(t)
	m.Step(m.now, Handover{ID: 1})
	m.Step(m.now, Serving{Reason: "loop 0 stands still", Alive: true})
	if m.give.by.Sub(m.now) > hurriedOffer || !m.give.must {
		t.Errorf("%+v", m.give)
	}
}

// Who could serve clearly better gets the VIP, in good order and after the hold-down, whether or not preempt is on.
func TestE10AFitterPeerIsHandedTheVIP(t *testing.T) {
	m := newGiver(t)
	m.Step(m.now, Fitness{128})
	began := m.now
	for i, node := range []string{"b", "c"} {
		m.Step(m.now, from(node, byte(2+i), backupAdvert()))
	}
	tickBeside(t, m, func(a Action) bool { tell, ok := a.(Tell); return ok && tell.Message.Kind == MsgOffer })
	if m.give.why != WhyFitter || m.now.Sub(began) < m.cfg.HoldDown {
		t.Errorf("%v after %v", m.give.why, m.now.Sub(began))
	}
}

// Two nodes have told another one to take over, of a handover each, and neither has: the one with the better claim takes
// its VIP back, though it hears the other one, and that one waits for it.
func TestHandoverOfTwoWhoWaitOneTakesItsOwnBack(t *testing.T) {
	for name, tc := range map[string]struct {
		epoch uint64 // of the other one's claim
		want  bool
	}{"this one claimed last": {0, true}, "the other one did": {3, false}} {
		m := newGiver(t)
		m.Step(m.now, Handover{ID: 1, To: "b"})
		m.Step(m.now, said(MsgReady, m.give.nonce))
		c := from("c", 3, GroupAdvert{State: Draining, Priority: 100, Fitness: 255, Epoch: tc.epoch})
		claimed := false
		m.Step(m.now, said(MsgRefuse, m.give.nonce))
		for end := m.now.Add(time.Second); m.now.Before(end) && !claimed; {
			at := m.now.Add(5 * time.Millisecond)
			for d := m.Deadline(); !d.IsZero() && !d.After(at) && !claimed; d = m.Deadline() {
				claimed = slices.ContainsFunc(m.Tick(later(d, m.now)), isClaim)
			}
			m.Step(at, c)
		}
		if claimed != tc.want {
			t.Errorf("%s: it claims: %v, want %v", name, claimed, tc.want)
		}
	}
}
