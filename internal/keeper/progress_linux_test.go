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
