package vip

import (
	"testing"
	"time"
)

func TestTheGateJudgesByStampByOrderAndByAge(t *testing.T) {
	const limit, maxAge = 100 * time.Millisecond, 20 * time.Millisecond
	for _, c := range []struct {
		sentence           string
		shut, stamped      bool
		stampAge, frameAge time.Duration
		want               refusal
	}{
		{"a fresh stamp opens it", false, true, 0, 0, allowed},
		{"up to the limit", false, true, limit, maxAge, allowed},
		{"not beyond", false, true, limit + 1, 0, refusedStale},
		{"before the first stamp it is closed", false, false, 0, 0, refusedStale},
		{"a frame may not have waited", false, true, 0, maxAge + 1, refusedLate},
		{"shut is shut", true, true, 0, 0, refusedShut},
		{"and the first reason counts", true, false, 2 * limit, 2 * maxAge, refusedShut},
		{"then the second", false, true, 2 * limit, 2 * maxAge, refusedStale},
	} {
		if got := judge(c.shut, c.stamped, c.stampAge, limit, c.frameAge, maxAge); got != c.want {
			t.Errorf("%s: %d, want %d", c.sentence, got, c.want)
		}
	}
}

func TestAGateCountsRefusalsByReason(t *testing.T) {
	g := NewGate(100*time.Millisecond, 20*time.Millisecond)
	clock := time.Hour
	g.clock = func() time.Duration { return clock }
	allow := func(triggered time.Time, want bool) {
		t.Helper()
		if got := g.Allow(triggered); got != want {
			t.Errorf("allowed %v, want %v", got, want)
		}
	}
	allow(time.Time{}, false) // never stamped
	g.Stamp()
	allow(time.Time{}, true)
	allow(time.Now(), true)
	allow(time.Now().Add(-time.Hour), false)
	g.Shut()
	allow(time.Time{}, false)
	allow(time.Time{}, false)
	g.Open()
	allow(time.Time{}, true)
	clock += time.Second // suspended: no other clock has moved
	allow(time.Now(), false)
	g.Stamp()
	allow(time.Now(), true)
	if got, want := g.Refused(), (GateRefusals{Stale: 2, Shut: 2, Late: 1}); got != want {
		t.Errorf("refused %+v, want %+v", got, want)
	}
}

func TestTheBootClockRuns(t *testing.T) {
	start := bootClock()
	for end := time.Now().Add(20 * time.Second); bootClock() == start; {
		if time.Now().After(end) {
			t.Fatal("it stands still")
		}
	}
	if bootClock() < start {
		t.Error("it runs backwards")
	}
}
