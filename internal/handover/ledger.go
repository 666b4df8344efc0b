package handover

import (
	"cmp"
	"slices"
	"time"
)

// fullEvery is how often at most everything is said again, so that a peer that cannot keep
// up with changes is not sent everything in their place.
const fullEvery = 5 * time.Second

// ledger finds out what has changed between two lists of connections. PURE.
type ledger struct {
	most    int // connections that it knows
	known   map[Flow]uint32
	round   uint32 // the list that a known connection was last on
	leftOut int    // of this list, for want of room
	added   []Flow

	again bool      // everything must be said again
	full  time.Time // when that was last done; zero: never
}

func newLedger(most int) *ledger {
	return &ledger{most: most, known: make(map[Flow]uint32), again: true}
}

// begin begins a list.
func (l *ledger) begin() {
	l.round++
	l.leftOut = 0
	l.added = nil
}

// see notes one connection of the list. One that finds no room is tried again by the next
// list.
func (l *ledger) see(w Flow) {
	if !w.plausible() {
		return
	}
	_, is := l.known[w]
	switch {
	case !is && len(l.known) >= l.most:
		l.leftOut++
		return
	case !is:
		l.added = append(l.added, w)
	}
	l.known[w] = l.round
}

// end returns what has changed since the last list, or everything.
func (l *ledger) end(now time.Time) Batch {
	var b Batch
	for w, round := range l.known {
		if round != l.round {
			b.Gone = append(b.Gone, w)
			delete(l.known, w)
		}
	}
	b.Added, l.added = l.added, nil
	if l.again && (l.full.IsZero() || now.Sub(l.full) >= fullEvery) {
		l.again, l.full = false, now
		b = Batch{Reset: true}
		for w := range l.known {
			b.Added = append(b.Added, w)
		}
	}
	slices.SortFunc(b.Added, byServer)
	slices.SortFunc(b.Gone, byServer)
	return b
}

// byServer brings connections to the same server together: they share a run in a batch.
func byServer(a, b Flow) int {
	return cmp.Or(a.Server.Compare(b.Server), a.Client.Compare(b.Client))
}
