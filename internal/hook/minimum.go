package hook

import "time"

const (
	// firstRepeat is how long a shortage waits before it is raised again; the pause doubles
	// up to longestRepeat. What starts apps is given time for it, and what missed an event
	// (a watcher that was not there) is told again soon.
	firstRepeat   = 10 * time.Second
	longestRepeat = time.Minute
)

// Minimum watches that enough backends of one pool are up. It is pure.
//
//	   up < Wanted            for After, while active: pool-below-minimum
//	met ────────► short ──────────────────────────────────────────────► raised ─┐
//	 ▲              │ up ≥ Wanted          again after 10 s, 20 s … 1 min ▲      │
//	 ├──────────────┘                                                     └──────┤
//	 └─────────────────── up ≥ Wanted, while active: pool-minimum-met ───────────┘
//
// Only the active node raises. One that becomes active in a shortage raises it anew, with
// pauses of its own; one that was active is silent about it from then on.
type Minimum struct {
	Pool   string
	Wanted int           // at least 1
	After  time.Duration // how long the shortage must last before it is one

	since time.Time // the shortage began; zero: there is none
	next  time.Time // when it is raised, or again
	pause time.Duration
	up    int  // when it was last raised
	told  bool // it was raised, here or elsewhere, so that its end is news
}

// Look says how many backends are up now, and whether this node is the active one. It
// returns the event that is due, without its node and number; nil: none is. Look is to be
// called on each change, and at least once a second.
func (m *Minimum) Look(now time.Time, up int, active bool) *Event {
	if up >= m.Wanted {
		met := m.told && active
		m.since, m.next, m.told = time.Time{}, time.Time{}, false
		if !met {
			return nil
		}
		return m.event(PoolMinimumMet, now, up)
	}
	if m.since.IsZero() {
		m.since = now
	}
	due := m.since.Add(m.After)
	if now.Before(due) {
		return nil
	}
	if !active {
		// The other one has raised it by now. Whoever becomes active does so at once.
		m.next, m.pause, m.told = time.Time{}, 0, true
		return nil
	}
	next := m.next
	if !next.IsZero() && up < m.up { // news, though not more often than the first pause allows
		next = next.Add(firstRepeat - m.pause)
	}
	if now.Before(next) {
		return nil
	}
	m.pause = min(max(2*m.pause, firstRepeat), longestRepeat)
	m.next, m.up, m.told = now.Add(m.pause), up, true
	return m.event(PoolBelowMinimum, now, up)
}

func (m *Minimum) event(name string, now time.Time, up int) *Event {
	return &Event{
		Name: name, Time: now, Active: true, Pool: m.Pool,
		Shortage: &Shortage{Wanted: m.Wanted, Up: up, Missing: max(0, m.Wanted-up)},
	}
}
