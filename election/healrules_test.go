package election

import "testing"

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
