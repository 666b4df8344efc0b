package client

import (
	"slices"
	"time"
)

// Gap is a stretch without a good answer.
type Gap struct{ From, To time.Duration }

// Length of the gap.
func (g Gap) Length() time.Duration { return g.To - g.From }

// Outage is the longest gap between two successive good answers, by the time
// of their completion, that overlaps w.
//
// until is how far the record is complete (see [Log.Settled]): when no good
// answer follows the last one, the gap lasts until then at least. Before the
// first good answer ever, the gap begins at the first request that was due.
// Without any request there is no gap.
func Outage(reqs []Request, w Window, until time.Duration) Gap {
	if len(reqs) == 0 {
		return Gap{}
	}
	ends := make([]time.Duration, 0, len(reqs)+2)
	first := reqs[0].Due
	for _, r := range reqs {
		first = min(first, r.Due)
		if r.Good() {
			ends = append(ends, r.End)
		}
	}
	ends = append(ends, first)
	slices.Sort(ends)
	if last := ends[len(ends)-1]; until > last {
		ends = append(ends, until)
	}
	var longest Gap
	for i := 1; i < len(ends); i++ {
		g := Gap{ends[i-1], ends[i]}
		if g.From < w.To && g.To > w.From && g.Length() > longest.Length() {
			longest = g
		}
	}
	return longest
}

// Tally counts the requests of a window.
type Tally struct {
	Requests int            // ended in the window
	Failed   int            // of these, not good
	Late     int            // of these, started more than LateAfter behind their time
	Skipped  int            // not among these: never sent, because the machine was too busy
	Kinds    map[Kind]int   // Failed, by reason
	From     map[string]int // the good ones, by who answered
	Slowest  time.Duration  // longest Due → End among the good ones
}

// LateAfter is how far behind its schedule a request starts before it counts as
// late: the measuring client was not given its processor.
const LateAfter = 20 * time.Millisecond

// Count tallies the requests that ended in w. With one window from each fault
// to the next, a request thus counts to the last fault that struck before it
// ended: what a fault tears down is its own, however early it was due.
func Count(reqs []Request, w Window) Tally {
	t := Tally{Kinds: map[Kind]int{}, From: map[string]int{}}
	for _, r := range reqs {
		if !w.Has(r.End) {
			continue
		}
		if r.Fail == Skipped {
			t.Skipped++
			continue
		}
		t.Requests++
		if r.Start-r.Due > LateAfter {
			t.Late++
		}
		if !r.Good() {
			t.Failed++
			t.Kinds[r.Fail]++
			continue
		}
		t.From[r.From]++
		t.Slowest = max(t.Slowest, r.End-r.Due)
	}
	return t
}
