package lbcore

import (
	"testing"
	"time"
)

func TestRetriesAreAShareOfTheTrafficAndAFloor(t *testing.T) {
	var s spending
	b := &RetryBudget{Percent: 20, PerSecond: 2}
	allowed := func(now time.Duration) (n int) {
		for s.retry(now, b, 2) {
			n++
		}
		return n
	}
	if n := allowed(0); n != 10 {
		t.Errorf("%d retries without traffic, want this loop's half of 2 for 10 seconds", n)
	}
	for range 1000 {
		s.request(time.Second)
	}
	if n := allowed(time.Second); n != 200 {
		t.Errorf("%d retries more for 1000 requests, want 200", n)
	}
	if n := allowed(9 * time.Second); n != 0 {
		t.Errorf("%d retries within the ten seconds, want none", n)
	}
	if n := allowed(10 * time.Second); n != 10 {
		t.Errorf("%d retries when the first ten are forgotten, want 10", n)
	}
	if n := allowed(time.Hour); n != 10 {
		t.Errorf("%d retries after an hour, want 10", n)
	}
	b = &RetryBudget{}
	if n := allowed(2 * time.Hour); n != 0 {
		t.Errorf("%d retries of a budget of none", n)
	}
}
