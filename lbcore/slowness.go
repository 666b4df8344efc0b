package lbcore

import "time"

// slowness measures how long a client has been waited for. What it brings or takes
// pays for time at the least rate; time in which others were waited for costs
// nothing. It is paid back only, never saved up: a client that was fast may not be
// slow for longer afterwards.
type slowness struct {
	spent   time.Duration // the client is given up when it exceeds Timeouts.Client
	since   time.Duration // when advance was called last
	moved   int           // bytes since then
	waiting bool          // for the client, since then
}

// advance brings spent up to now; waiting says whether the client is waited for
// from now on. rate is Limits.MinRate.
func (s *slowness) advance(now time.Duration, waiting bool, rate int) {
	if s.waiting {
		s.spent += now - s.since
	}
	switch {
	case s.moved == 0:
	case rate < 0:
		s.spent = 0
	default:
		s.spent = max(0, s.spent-time.Duration(s.moved)*(time.Second/time.Duration(rate)))
	}
	s.since, s.waiting, s.moved = now, waiting, 0
}
