package timeline

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Part is what one node has told of its timeline, in its order.
type Part struct {
	Entries []Entry
	// Clock is how much the node's clock is ahead of that of whoever merges, and Exact how far
	// off that may be, either way.
	Clock, Exact time.Duration
}

// Shift is what the times of the part are corrected by: nothing where the two clocks may be
// the same.
func (p Part) Shift() time.Duration {
	if p.Clock.Abs() <= p.Exact {
		return 0
	}
	return -p.Clock
}

// lateTime is how much later than it happened something may be written. What seems to be later
// still is a clock that was set back.
const lateTime = time.Minute

// Merge brings the parts into one list, oldest first, by the clock of whoever merges. Where a
// node's clock was set back, its entries keep their order.
func Merge(parts ...Part) []Entry {
	type placed struct {
		Entry
		at time.Time
	}
	var all []placed
	for _, p := range parts {
		var latest time.Time
		for _, e := range p.Entries {
			e.Time = e.Time.Add(p.Shift())
			at := e.Time
			if latest.Sub(at) > lateTime {
				at = latest
			}
			latest = maxTime(latest, at)
			all = append(all, placed{e, at})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.Node, b.Node), cmp.Compare(a.Seq, b.Seq))
	})
	out := make([]Entry, len(all))
	for i, p := range all {
		out[i] = p.Entry
	}
	return out
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
