package main

import (
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/owners"
)

func TestACacheIsWrongWhileItPointsAtWhoDoesNotOwnTheVIP(t *testing.T) {
	const ms = time.Millisecond
	// lb1 owns it until 100 ms, nobody until 150 ms, then lb2; the client hears of it at 160 ms,
	// and has no entry from 300 ms on.
	book := owners.NewBook("lb1", "lb2")
	book.Address("lb1", true, 0)
	book.Address("lb2", true, 0)
	c := &cache{}
	for at := time.Duration(0); at < 400*ms; at += 5 * ms {
		n := book.Sent(at)
		switch {
		case at < 100*ms:
			book.Answer(n, "lb1", at+ms)
		case at >= 150*ms:
			book.Answer(n, "lb2", at+ms)
		}
		host := "lb1"
		if at >= 160*ms {
			host = "lb2"
		}
		if at >= 300*ms {
			host = ""
		}
		c.add(look{at, host})
	}
	for _, tc := range []struct {
		from, to, want time.Duration
	}{
		{0, 100 * ms, 0},
		{0, 400 * ms, 160*ms - 115*ms}, // from when no answer is near any more until the client knows
		{165 * ms, 400 * ms, 0},
		{120 * ms, 140 * ms, 20 * ms},
	} {
		if got := c.wrong(tc.from, tc.to, book.Owned); got != tc.want {
			t.Errorf("from %v to %v: %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
	nobodyAsked := owners.NewBook()
	if got := c.wrong(0, 400*ms, nobodyAsked.Owned); got != 0 {
		t.Errorf("wrong for %v, though nobody has asked who owns it", got)
	}
}
