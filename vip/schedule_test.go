package vip

import (
	"testing"
	"time"
)

func TestAnnouncementsFollowTheSchedule(t *testing.T) {
	start := time.Unix(1000, 0)
	want := []time.Duration{
		0, 50 * time.Millisecond, 150 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2 * time.Second, 5 * time.Second,
		35 * time.Second, 65 * time.Second, 95 * time.Second,
	}
	s := startSchedule(start)
	for i, offset := range want {
		next := s.next()
		if got := next.Sub(start); got != offset {
			t.Fatalf("announcement %d at %v, want %v", i, got, offset)
		}
		if s.due(next.Add(-1)) || !s.due(next) {
			t.Errorf("announcement %d is due too early, or not in time", i)
		}
		s = s.sent(next)
	}
}

func TestMissedAnnouncementsAreSkipped(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct{ overslept, next time.Duration }{
		{0, 50 * time.Millisecond},
		{49 * time.Millisecond, 50 * time.Millisecond},
		{50 * time.Millisecond, 150 * time.Millisecond},
		{700 * time.Millisecond, time.Second},
		{4999 * time.Millisecond, 5 * time.Second},
		{5 * time.Second, 35 * time.Second},
		{34 * time.Second, 35 * time.Second},
		{35 * time.Second, 65 * time.Second},
		{24 * time.Hour, 24*time.Hour + 5*time.Second},
	} {
		now := start.Add(c.overslept)
		s := startSchedule(start).sent(now)
		if got := s.next().Sub(start); got != c.next {
			t.Errorf("sent at %v: next at %v, want %v", c.overslept, got, c.next)
		}
		if s.due(now) {
			t.Errorf("sent at %v: due again at once", c.overslept)
		}
	}
}

func TestAStoppedScheduleIsNeverDue(t *testing.T) {
	var s schedule
	now := time.Unix(1000, 0)
	if s.due(now) || !s.next().IsZero() || s.sent(now) != (schedule{}) {
		t.Error("a zero schedule announces")
	}
}

func TestAClockThatGoesBackDelaysButDoesNotPanic(t *testing.T) {
	start := time.Unix(1000, 0)
	s := startSchedule(start).sent(start.Add(-time.Hour))
	if got := s.next(); !got.Equal(start) {
		t.Errorf("next at %v, want %v", got, start)
	}
}
