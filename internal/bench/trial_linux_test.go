package main

import (
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
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
