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
