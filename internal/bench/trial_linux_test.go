package main

import (
	"slices"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

func TestAGapThatWasThereBeforeTheUndoingIsNotItsCost(t *testing.T) {
	const ms = time.Millisecond
	good := func(at ...time.Duration) (reqs []client.Request) {
		for _, end := range at {
			reqs = append(reqs, client.Request{Due: end - ms, End: end})
		}
		return reqs
	}
	for _, tc := range []struct {
		name string
		reqs []client.Request
		want time.Duration
	}{
		{"nothing was ever answered", nil, 0},
		{"the fault's gap ends at last", good(10*ms, 150*ms, 160*ms, 200*ms), 40 * ms},
		{"it never ends", good(10*ms, 90*ms), 0},
		{"a new one begins", good(90*ms, 99*ms, 101*ms, 170*ms, 180*ms, 199*ms), 69 * ms},
		{"and lasts", good(90*ms, 99*ms, 101*ms, 110*ms), 90 * ms},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := returnGap(tc.reqs, 100*ms, 200*ms); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAFaultThatAStackCannotHaveIsNotInTheTable(t *testing.T) {
	o := options{faults: []string{"control-kill", "stop"}}
	var got []string
	for _, r := range newTable(o, []*stack{tandem(0), tandem(5 * time.Millisecond), keepalived(settings[0])}).results {
		got = append(got, r.Fault+" "+r.Stack)
	}
	want := []string{"control-kill tandem", "control-kill tandem-5ms", "stop tandem", "stop tandem-5ms", "stop keepalived-1s"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryFaultOfTheCommandLineExists(t *testing.T) {
	for _, name := range faultNames() {
		if faults[name].inject == nil {
			t.Errorf("nothing is known of %s", name)
		}
	}
	if len(faults) != len(faultNames()) {
		t.Errorf("%d faults, %d of them can be named", len(faults), len(faultNames()))
	}
}

func TestATakeoverIsCountedWhenAnotherGetsTheAddress(t *testing.T) {
	book := owners.NewBook("lb1", "lb2")
	s := &site{owners: &owners.Watch{Book: book}, lbs: []*node{{place: balancers[0]}, {place: balancers[1]}}}
	c := &counter{site: s, has: map[*node]bool{}}
	for i, step := range []struct {
		lb1, lb2 bool
		want     int
	}{
		{false, false, 0},
		{true, false, 1},
		{true, false, 1},
		{true, true, 2}, // both: a takeover without a loss
		{false, true, 2},
		{false, false, 2},
		{false, true, 3},
	} {
		book.Address("lb1", step.lb1, time.Duration(i))
		book.Address("lb2", step.lb2, time.Duration(i))
		if c.look(); c.takeovers != step.want {
			t.Errorf("step %d: %d takeovers, want %d", i, c.takeovers, step.want)
		}
	}
}
