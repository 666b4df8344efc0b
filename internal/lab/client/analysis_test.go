package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

func good(due, end time.Duration) Request { return Request{Due: due, Start: due, End: end, From: "a"} }

func bad(due, end time.Duration) Request {
	return Request{Due: due, Start: due, End: end, Fail: Timeout}
}

func TestOutageIsTheLongestGapBetweenGoodAnswersThatOverlapsTheWindow(t *testing.T) {
	steady := []Request{good(0, 1*ms), good(2*ms, 3*ms), good(4*ms, 5*ms), good(6*ms, 7*ms)}
	for _, tc := range []struct {
		name  string
		reqs  []Request
		w     Window
		until time.Duration
		want  Gap
	}{
		{"nothing was asked", nil, Window{0, 10 * ms}, 10 * ms, Gap{}},
		{"steady answers: their pace", steady, Window{2 * ms, 6 * ms}, 7 * ms, Gap{1 * ms, 3 * ms}},
		{
			"a gap inside",
			[]Request{good(0, 1*ms), bad(2*ms, 50*ms), good(60*ms, 61*ms)},
			Window{2 * ms, 70 * ms},
			61 * ms,
			Gap{1 * ms, 61 * ms},
		},
		{
			"a gap that begins before the window counts whole",
			[]Request{good(0, 1*ms), good(90*ms, 91*ms), good(100*ms, 101*ms)},
			Window{50 * ms, 200 * ms},
			101 * ms,
			Gap{1 * ms, 91 * ms},
		},
		{
			"a longer gap elsewhere does not",
			[]Request{good(0, 1*ms), good(500*ms, 501*ms), good(510*ms, 511*ms), good(520*ms, 521*ms)},
			Window{501 * ms, 521 * ms},
			521 * ms,
			Gap{501 * ms, 511 * ms},
		},
		{
			"a gap that ends where the window begins does not overlap it",
			[]Request{good(0, 1*ms), good(100*ms, 101*ms), good(103*ms, 104*ms)},
			Window{101 * ms, 110 * ms},
			104 * ms,
			Gap{101 * ms, 104 * ms},
		},
		{
			"answers complete out of order",
			[]Request{good(0, 1*ms), good(4*ms, 5*ms), good(2*ms, 30*ms), good(6*ms, 7*ms)},
			Window{0, 40 * ms},
			30 * ms,
			Gap{7 * ms, 30 * ms},
		},
		{
			"never good again: until the end of the record",
			[]Request{good(0, 1*ms), bad(2*ms, 1002*ms), bad(4*ms, 1004*ms)},
			Window{2 * ms, 800 * ms},
			1006 * ms,
			Gap{1 * ms, 1006 * ms},
		},
		{
			"never good before: from the first request on",
			[]Request{bad(10*ms, 11*ms), good(40*ms, 41*ms)},
			Window{0, 50 * ms},
			41 * ms,
			Gap{10 * ms, 41 * ms},
		},
		{
			"never good at all",
			[]Request{bad(10*ms, 11*ms), bad(40*ms, 41*ms)},
			Window{0, 50 * ms},
			42 * ms,
			Gap{10 * ms, 42 * ms},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Outage(tc.reqs, tc.w, tc.until); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestCountTakesWhatEndedInTheWindowWheneverItWasDue(t *testing.T) {
	reqs := []Request{
		good(8*ms, 9*ms),
		good(9*ms, 10*ms),
		{Due: 12 * ms, Start: 40 * ms, End: 45 * ms, From: "b", Code: 200},
		{Due: 14 * ms, Start: 14 * ms, End: 15 * ms, From: "b", Code: 503, Fail: Status},
		bad(5*ms, 18*ms),
		{Due: 19 * ms, Start: 19 * ms, End: 19 * ms, Fail: Overrun},
		{Due: 20 * ms, Start: 30 * ms, End: 30 * ms, Fail: Skipped},
		bad(19*ms, 50*ms),
		good(49*ms, 51*ms),
	}
	got := Count(reqs, Window{10 * ms, 50 * ms})
	want := Tally{
		Requests: 5, Failed: 3, Late: 1, Skipped: 1,
		Kinds:   map[Kind]int{Status: 1, Timeout: 1, Overrun: 1},
		From:    map[string]int{"a": 1, "b": 1},
		Slowest: 33 * ms,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLogKeepsTheLatestAndSinceReturnsTheTail(t *testing.T) {
	l := NewLog(time.Now())
	const extra = 100
	for i := range time.Duration(LogSize + extra) {
		l.add(good(i, i))
	}
	all := l.Requests()
	if len(all) != LogSize || all[0].End != extra || all[LogSize-1].End != LogSize+extra-1 {
		t.Fatalf("kept %d, from %d to %d", len(all), all[0].End, all[len(all)-1].End)
	}
	for _, n := range []time.Duration{0, 1, 150, LogSize} {
		tail := l.Since(LogSize + extra - n)
		if d := cmp.Diff(all[LogSize-n:], tail); d != "" {
			t.Fatalf("the last %d differ: %s", n, d)
		}
	}
}
