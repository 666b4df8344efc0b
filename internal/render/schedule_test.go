package render

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// live lets a schedule live, a tenth of a second a letter: c a change, . nothing; what is
// begun ends at once, well unless it is told to fail.
func live(s *Schedule, life string, fails func(nth int) bool) string {
	start, n := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), 0
	var begun []string
	for i, what := range life {
		now := start.Add(time.Duration(i) * 100 * time.Millisecond)
		if what == 'c' {
			s.Changed(now)
		}
		if s.Due(now) {
			begun = append(begun, fmt.Sprint(i))
			s.Ended(now, !fails(n))
			n++
		}
	}
	return strings.Join(begun, " ")
}

func never(int) bool { return false }

func TestABurstIsRenderedOnce(t *testing.T) {
	if got := live(&Schedule{Quiescence: 500 * time.Millisecond}, "ccccc"+strings.Repeat(".", 30)+"c........", never); got != "9 40" {
		t.Errorf("rendered at %s, want 9 40", got)
	}
}

func TestChangesWithoutEndAreRenderedNowAndThen(t *testing.T) {
	if got := live(&Schedule{Quiescence: 300 * time.Millisecond}, strings.Repeat("c", 70), never); got != "30 61" {
		t.Errorf("rendered at %s, want 30 61", got)
	}
}

func TestWhatFailsIsTriedAgainWithGrowingPausesAndAChangeDoesNotWaitForThem(t *testing.T) {
	fails := func(nth int) bool { return nth < 3 }
	if got := live(&Schedule{Quiescence: 100 * time.Millisecond}, "c"+strings.Repeat(".", 100), fails); got != "1 11 31 71" {
		t.Errorf("rendered at %s, want 1 11 31 71", got)
	}
	s := &Schedule{Quiescence: 100 * time.Millisecond}
	if got := live(s, "c"+strings.Repeat(".", 40)+"c"+strings.Repeat(".", 20), fails); got != "1 11 31 42" {
		t.Errorf("rendered at %s, want 1 11 31 42", got)
	}
}

func TestAChangeWhileItIsRenderedIsNotLost(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s := &Schedule{Quiescence: time.Second}
	s.Changed(now)
	if !s.Due(now.Add(time.Second)) {
		t.Fatal("not begun")
	}
	s.Changed(now.Add(2 * time.Second))
	if s.Due(now.Add(time.Hour)) {
		t.Error("begun twice at one time")
	}
	s.Ended(now.Add(time.Hour), true)
	if !s.Due(now.Add(time.Hour)) {
		t.Error("the change is lost")
	}
}
