package keeper

import (
	"testing"
	"time"
)

func TestE3AProxyThatStandsStillIsGivenUpAfterAnotherTimeout(t *testing.T) {
	const round = 50 * time.Millisecond
	var s stuckProxy
	now := time.Unix(0, 0)
	for looks := 1; ; looks++ {
		if s.hopeless(now, true, time.Second) {
			if looks != 21 {
				t.Errorf("given up at look %d, want the one after a second", looks)
			}
			break
		}
		if now = now.Add(round); looks > 100 {
			t.Fatal("never given up")
		}
	}
}

func TestE3AfterAPauseOfTheNodeTheProxyHasTimeToMove(t *testing.T) {
	var s stuckProxy
	now := time.Unix(0, 0)
	for range 5 { // a keeper that is stopped again and again sees a proxy that was, too
		if s.hopeless(now, true, time.Second) {
			t.Fatal("given up after a few looks")
		}
		now = now.Add(time.Minute)
	}
	s.hopeless(now, false, time.Second)
	for range stuckLooks {
		if s.hopeless(now, true, time.Second) {
			t.Fatal("given up at once: what was seen before it moved counts")
		}
	}
}

func TestALoopThatWentOnMayStandStillLongerForAWhile(t *testing.T) {
	var r restless
	now := time.Unix(1000, 0)
	want := func(want time.Duration) {
		t.Helper()
		if got := r.limit(now, time.Second); got != want {
			t.Fatalf("at %v the limit is %v, want %v", now.Unix(), got, want)
		}
	}
	want(time.Second)
	for _, grown := range []time.Duration{2, 4, 8, 8} {
		r.saw(now, true)
		now = now.Add(time.Second)
		r.saw(now, true)
		now = now.Add(time.Second)
		r.saw(now, false)
		want(grown * time.Second)
	}
	now = now.Add(calmAfter - 1)
	want(8 * time.Second)
	now = now.Add(1)
	want(4 * time.Second)
	now = now.Add(10 * calmAfter)
	want(time.Second)
}

func TestALoopThatNeverWentOnIsJudgedAsTheFirst(t *testing.T) {
	var r restless
	now := time.Unix(1000, 0)
	for range 100 {
		r.saw(now, true)
		now = now.Add(time.Second)
	}
	if got := r.limit(now, time.Second); got != time.Second {
		t.Errorf("the limit is %v before the loop went on", got)
	}
}
