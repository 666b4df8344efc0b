package main

import "testing"

func TestASpreadIsOfTheNearestRanks(t *testing.T) {
	upTo := func(n int) (set []float64) {
		for i := n; i > 0; i-- { // the order does not matter
			set = append(set, float64(i))
		}
		return set
	}
	for _, tc := range []struct {
		name string
		set  []float64
		want Spread
	}{
		{"nothing", nil, Spread{}},
		{"one", []float64{7}, Spread{7, 7, 7, 7}},
		{"two", []float64{10, 5}, Spread{5, 7.5, 10, 10}},
		{"three", []float64{1, 100, 2}, Spread{1, 2, 100, 100}},
		{"ten: the 95th of a hundred is the greatest", upTo(10), Spread{1, 5.5, 10, 10}},
		{"twenty: the nineteenth", upTo(20), Spread{1, 10.5, 19, 20}},
		{"a hundred", upTo(100), Spread{1, 50.5, 95, 100}},
		{"to the tenth of a millisecond", []float64{1.2, 1.5}, Spread{1.2, 1.4, 1.5, 1.5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := append([]float64(nil), tc.set...)
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
