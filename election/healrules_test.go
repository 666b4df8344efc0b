package election

import (
	"testing"
	"time"
)

// newMeeting returns an active that is linked with b, and can forward.
func newMeeting(t *testing.T) *Machine {
	t.Helper()
	m := newActive(t, testConfig())
	m.Step(m.now, Lossless{OK: true})
	m.Step(m.now, from("b", 2, backupAdvert()))
	m.Step(m.now, Linked{Node: "b", Boot: 1, Up: true})
	return m
}

// drains is b's advert once it has lost.
func drains() Heard {
	return from("b", 2, GroupAdvert{State: Draining, Standby: true, Priority: 100, Fitness: 255, Epoch: 1})
}

// Two actives meet, and this one has the lower claim: it is mute before anything else, and drains.
func TestE8WhoLosesAConflictIsMuteAndDrains(t *testing.T) {
	m := newMeeting(t)
	acts := m.Step(m.now, from("b", 2, activeAdvert(m.claim+1)))
	if fence, drain := index[Fence](acts), index[Drain](acts); fence < 0 || drain < fence || index[Release](acts) >= 0 {
		t.Errorf("actions of the loser: %+v", acts)
	}
	if s := m.Status(); s.State != Draining || !s.Fenced {
		t.Errorf("the loser: %+v", s)
	}
}

// This one has the higher claim: it says nothing to the clients before the table is there, since
// an announcement would draw those of the loser away from their connections, and then it does.
func TestE8WhoWinsAConflictForwardsBeforeItAnnounces(t *testing.T) {
	m := newMeeting(t)
	m.claim += 2 // it was claimed here last
	if acts := m.Step(m.now, from("b", 2, activeAdvert(1))); index[Announce](acts) >= 0 {
		t.Errorf("it announces while the other is active: %+v", acts)
	}
	acts := m.Step(m.now, drains())
	if index[Prepare](acts) < 0 || index[Announce](acts) >= 0 {
		t.Errorf("the other drains: %+v; want a table, and nothing said", acts)
	}
	if acts = m.Step(m.now, Prepared{Token: m.token}); index[Announce](acts) < 0 {
		t.Errorf("the table is there: %+v; want an announcement", acts)
	}
}

// The adverts of two actives do not reach each other, but members relay: one of them yields, and it stays so.
func TestE8ActivesMeetThroughMembers(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed, 20*time.Millisecond)
		w.maxDelay, w.maxTick, w.maxWork = time.Millisecond, time.Millisecond, time.Millisecond
		for range 2 {
			w.addNode(Config{NewFor: -1}).start()
		}
		w.cutAll()
		w.wire[0][1], w.wire[1][0] = true, true
		w.run(w.now.Add(4 * time.Second)) // and no seed may have answered
		if a, b := w.nodes[0].groups[0], w.nodes[1].groups[0]; !a.owns() || !b.owns() {
			t.Fatalf("seed %d: %v and %v own the VIP, want both, out of reach of each other", seed, a.owns(), b.owns())
		}
		w.relay = true
		w.run(w.now.Add(w.maxUnmet()))
		for range 100 {
			w.run(w.now.Add(10 * time.Millisecond))
			if a, b := w.nodes[0].groups[0], w.nodes[1].groups[0]; a.owns() == b.owns() || w.err != nil {
				t.Fatalf("seed %d, after %v: %v and %v own the VIP, want one; %v", seed, w.now.Sub(epochStart), a.owns(), b.owns(), w.err)
			}
		}
	}
}
