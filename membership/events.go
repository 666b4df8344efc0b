package membership

import "slices"

// maxEvents is how many events may wait before older ones of the same member are merged.
const maxEvents = 8192

// eventQueue holds the events that nobody has received yet. Its owner locks.
type eventQueue struct {
	waiting []Event
	merged  uint64
	limit   int // merge when that many wait
}

func newEventQueue() *eventQueue { return &eventQueue{limit: maxEvents} }

func (q *eventQueue) push(events []Event) {
	q.waiting = append(q.waiting, events...)
	if len(q.waiting) >= q.limit {
		q.merge()
	}
}

// pop removes and returns the oldest event.
func (q *eventQueue) pop() (Event, bool) {
	if len(q.waiting) == 0 {
		q.waiting, q.limit = nil, maxEvents
		return Event{}, false
	}
	ev := q.waiting[0]
	q.waiting = q.waiting[1:]
	return ev, true
}

// merge keeps of each member the newest event and the newest conflict, in order. What is left may be half the limit
// in a huge cluster, so the limit grows with it: otherwise each further event would merge again.
func (q *eventQueue) merge() {
	type key struct {
		name     string
		conflict bool
	}
	newest := make(map[key]int)
	for i, ev := range q.waiting {
		newest[key{ev.Member.Name, ev.Kind == EventConflict}] = i
	}
	before := len(q.waiting)
	i := -1
	q.waiting = slices.DeleteFunc(slices.Clone(q.waiting), func(ev Event) bool {
		i++
		return newest[key{ev.Member.Name, ev.Kind == EventConflict}] != i
	})
	q.merged += uint64(before - len(q.waiting))
	q.limit = max(maxEvents, 2*len(q.waiting))
}
