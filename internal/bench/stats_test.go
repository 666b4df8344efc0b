package main

import (
	"testing"
	"time"
)

func TestASpreadIsOfTheNearestRanks(t *testing.T) {
	const ms = time.Millisecond
	upTo := func(n int) (set []time.Duration) {
		for i := n; i > 0; i-- { // the order does not matter
			set = append(set, time.Duration(i)*ms)
		}
		return set
	}
	for _, tc := range []struct {
		name string
		set  []time.Duration
		want Spread
	}{
		{"nothing", nil, Spread{}},
		{"one", []time.Duration{7 * ms}, Spread{7, 7, 7, 7}},
		{"two", []time.Duration{10 * ms, 5 * ms}, Spread{5, 7.5, 10, 10}},
		{"three", []time.Duration{1 * ms, 100 * ms, 2 * ms}, Spread{1, 2, 100, 100}},
		{"ten: the 95th of a hundred is the greatest", upTo(10), Spread{1, 5.5, 10, 10}},
		{"twenty: the nineteenth", upTo(20), Spread{1, 10.5, 19, 20}},
		{"a hundred", upTo(100), Spread{1, 50.5, 95, 100}},
		{"to the tenth of a millisecond", []time.Duration{1234 * time.Microsecond}, Spread{1.2, 1.2, 1.2, 1.2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := append([]time.Duration(nil), tc.set...)
			if got := spreadOf(tc.set); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			for i := range first {
				if first[i] != tc.set[i] {
					t.Fatal("the set was reordered")
				}
			}
		})
	}
}
