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

// Merge brings the parts into one list, oldest first, by the clock of whoever merges. Entries
// of one node keep their order, also where one of them tells of something earlier.
func Merge(parts ...Part) []Entry {
	type placed struct {
		Entry
		at time.Time
	}
	var all []placed
	for _, p := range parts {
		var at time.Time
		for _, e := range p.Entries {
			e.Time = e.Time.Add(p.Shift())
			if e.Time.After(at) {
				at = e.Time
			}
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
