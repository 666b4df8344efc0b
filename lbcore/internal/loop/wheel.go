package loop

import "time"

// The wheel's measures. A timer further away than one turn is met once a turn
// and stays.
const (
	tick      = 10 * time.Millisecond
	wheelSize = 4096 // ticks in a turn: 41 s
)

// Expirer is told that its timer's deadline has passed.
type Expirer interface{ Expired() }

// Timer is a place in a Wheel, to be embedded in what it belongs to. The zero
// value is not set.
type Timer struct {
	next, prev *Timer
	deadline   int64 // in ticks
	owner      Expirer
}

// Active says whether the timer is set.
func (t *Timer) Active() bool { return t.next != nil }

// Wheel is a hashed timer wheel: setting and stopping cost a few pointer writes
// whatever the number of timers. Times are durations since an origin of the
// caller's choice. It is not safe for concurrent use.
type Wheel struct {
	slots [wheelSize]Timer // heads of rings
	now   int64            // ticks done
	due   Timer            // head of the ring of those whose owners are being called
}

// NewWheel returns an empty wheel that stands at now.
func NewWheel(now time.Duration) *Wheel {
	w := &Wheel{now: int64(now / tick)}
	for i := range w.slots {
		s := &w.slots[i]
		s.next, s.prev = s, s
	}
	return w
}

// Set makes t call owner.Expired at the first Advance to or after at, rounded up
// to a tick. It replaces an earlier Set.
func (w *Wheel) Set(t *Timer, owner Expirer, at time.Duration) {
	deadline := max(int64((at+tick-1)/tick), w.now+1)
	if t.next != nil {
		if t.deadline == deadline {
			return
		}
		w.Stop(t)
	}
	t.deadline, t.owner = deadline, owner
	head := &w.slots[deadline%wheelSize]
	t.prev, t.next = head.prev, head
	head.prev.next = t
	head.prev = t
}

// Stop unsets t; its owner will not be called.
func (w *Wheel) Stop(t *Timer) {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev, t.owner = nil, nil, nil
}

// Advance calls the owners of all timers whose deadline is at or before now.
// They may set and stop any timer.
func (w *Wheel) Advance(now time.Duration) {
	target := int64(now / tick)
	// After a long pause one turn meets every timer.
	from := max(w.now+1, target-wheelSize+1)
	for slot := from; slot <= target; slot++ {
		w.now = max(w.now, slot)
		w.expire(&w.slots[slot%wheelSize], target)
	}
	w.now = max(w.now, target)
}

// expire moves the due timers of a slot to a ring of their own first, so that
// owners may do with timers what they like.
func (w *Wheel) expire(head *Timer, target int64) {
	due := &w.due // not a new one, which would be allocated at each tick
	due.next, due.prev = due, due
	for t := head.next; t != head; {
		next := t.next
		if t.deadline <= target {
			t.prev.next, t.next.prev = t.next, t.prev
			t.prev, t.next = due.prev, due
			due.prev.next = t
			due.prev = t
		}
		t = next
	}
	for due.next != due {
		t := due.next
		owner := t.owner
		w.Stop(t)
		owner.Expired()
	}
}

// Each calls f with the owner of every timer that is set; f must set and stop
// none.
func (w *Wheel) Each(f func(Expirer)) {
	for i := range w.slots {
		for t := w.slots[i].next; t != &w.slots[i]; t = t.next {
			f(t.owner)
		}
	}
}

// Next returns how long after now a timer may be due, at most limit.
func (w *Wheel) Next(now, limit time.Duration) time.Duration {
	for slot := w.now + 1; ; slot++ {
		wait := time.Duration(slot)*tick - now
		if wait >= limit {
			return limit
		}
		if head := &w.slots[slot%wheelSize]; head.next != head {
			return max(wait, 0)
		}
	}
}
