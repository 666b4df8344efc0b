package render

import "time"

const (
	// mostQuiet is how long a change may wait for others, as a multiple of the quiescence.
	mostQuiet = 10
	// What failed is tried again after firstRetry; the pause doubles up to longestRetry.
	firstRetry, longestRetry = time.Second, time.Minute
)

// Schedule says when a template is to be applied. It is pure.
type Schedule struct {
	Quiescence time.Duration

	first, last time.Time // of the changes that wait; zero: none does
	retry       time.Time // zero: nothing is to be tried again
	pause       time.Duration
	busy        bool
}

// Changed says that the data has changed.
func (s *Schedule) Changed(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.last = now
}

// Due says whether to apply the template now, and if so takes it as begun.
func (s *Schedule) Due(now time.Time) bool {
	next := s.Deadline()
	if next.IsZero() || now.Before(next) {
		return false
	}
	s.first, s.last, s.retry, s.busy = time.Time{}, time.Time{}, time.Time{}, true
	return true
}

// Deadline is when Due will say so, if nothing happens meanwhile; zero: never.
func (s *Schedule) Deadline() time.Time {
	switch {
	case s.busy:
		return time.Time{}
	case s.first.IsZero():
		return s.retry
	}
	next := s.last.Add(s.Quiescence)
	if most := s.first.Add(mostQuiet * s.Quiescence); most.Before(next) {
		next = most
	}
	return next
}

// Ended says what became of it.
func (s *Schedule) Ended(now time.Time, ok bool) {
	s.busy = false
	if ok {
		s.pause = 0
		return
	}
	s.pause = min(max(2*s.pause, firstRetry), longestRetry)
	s.retry = now.Add(s.pause)
}
