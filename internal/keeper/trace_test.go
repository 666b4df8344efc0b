package keeper

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

func TestATraceTellsWhatLedToATakeover(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	cfg := election.Config{Group: "default", Node: "lb2", Boot: 2, Addr: netip.MustParseAddr("10.0.0.2"), Priority: 100, AdvertInterval: 20 * time.Millisecond}
	m, err := election.New(cfg, t0)
	if err != nil {
		t.Fatal(err)
	}
	m.Tick(t0)
	m.Step(t0, election.Heard{Node: "lb1", Boot: 1, Interval: 20 * time.Millisecond, Seq: 1, Group: election.GroupAdvert{Name: "default", State: election.Active, Priority: 100, Fitness: 200, Epoch: 6}})

	var tr trace
	tr.saw(election.Shutdown{}, at(-20_000)) // too long ago to matter
	tr.saw(election.Stations{Third: true}, at(0))
	tr.did(election.Probe{Token: 1}, m, at(2))              // of a claim that is given up
	tr.did(election.Query{Round: 0, Node: "lb1"}, m, at(3)) // of no silence
	tr.did(election.Query{Round: 1, Node: "lb1"}, m, at(21))
	tr.did(election.Query{Round: 2, Node: "lb1"}, m, at(31))
	tr.saw(election.Received{At: at(32)}, at(32))
	tr.saw(election.Answered{Path: election.PathRelay}, at(33))
	tr.saw(election.Gone{Node: "lb1", Boot: 1}, at(34))
	tr.did(election.Query{Round: 3, Node: "lb1"}, m, at(41))
	tr.did(election.Claim{Token: 1}, m, at(90))
	tr.saw(election.Claimed{Token: 1}, at(92))
	change := election.Changed{From: election.Backup, To: election.Active, Reason: election.Reason{Why: election.WhyActiveSilent, Node: "lb1"}, Epoch: 7}
	got := tr.changed(change, m.Status(), cfg.AdvertInterval, at(92))
	want := &ipc.Transition{
		At: at(92), Group: "default", From: "backup", To: "active", Reason: "active-silent", Peer: "lb1", Epoch: 7,
		Evidence: ipc.Evidence{
			Silence: 90 * time.Millisecond, Missed: 4, Rounds: 3, Answers: map[string]int{"relay": 1}, Proof: true,
			Signals: []string{"the state channel says that the keeper of lb1 has ended"},
			Fitness: 255, PeerFitness: 200, PeerState: "active",
		},
		Phases: &ipc.Phases{Detect: 21 * time.Millisecond, Decide: 69 * time.Millisecond, Claim: 2 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}

	// The next change has evidence of its own.
	next := tr.changed(election.Changed{From: election.Active, To: election.Draining, Reason: election.Reason{Why: election.WhyShutdown}}, m.Status(), cfg.AdvertInterval, at(500))
	if next.Phases != nil || next.Evidence.Rounds != 0 || len(next.Evidence.Signals) != 0 || next.Evidence.Bare {
		t.Errorf("the next change is reported with what led to the one before: %+v", next)
	}
}

func TestTheChronicleKeepsTheLatestChanges(t *testing.T) {
	c := chronicle{boot: 9}
	for range maxChronicle + 5 {
		c.add(new(ipc.Transition))
	}
	if n := len(c.newer); n != maxChronicle {
		t.Fatalf("%d are kept, want %d", n, maxChronicle)
	}
	for i, tr := range c.newer {
		if tr.ID != uint64(i+6) || tr.Boot != 9 {
			t.Fatalf("number %d of boot %d stands at %d", tr.ID, tr.Boot, i)
		}
	}
}
