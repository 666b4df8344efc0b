package api

import (
	"testing"
	"time"
)

func TestAHistogramsQuantileLiesInTheBucketThatHoldsIt(t *testing.T) {
	bounds := []time.Duration{time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond}
	for _, tc := range []struct {
		name string
		h    Histogram
		q    float64
		want time.Duration
	}{
		{"nothing", Histogram{}, 0.5, 0},
		{"the middle of one bucket", Histogram{From: 1, Counts: []uint64{10}}, 0.5, 1500 * time.Microsecond},
		{"over an empty bucket", Histogram{Counts: []uint64{1, 0, 1}}, 0.75, 3 * time.Millisecond},
		{"the end", Histogram{Counts: []uint64{5, 5}}, 1, 2 * time.Millisecond},
		{"beyond all bounds", Histogram{From: 3, Counts: []uint64{5}}, 0.5, 4 * time.Millisecond},
	} {
		if got := tc.h.Quantile(tc.q, bounds); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestAHistogramsDifferenceIsWhatCameSince(t *testing.T) {
	h := Histogram{From: 1, Counts: []uint64{5, 7, 1}, Sum: 9}
	if d := h.Sub(Histogram{From: 2, Counts: []uint64{3}, Sum: 4}); d.Count() != 10 || d.at(2) != 4 || d.Sum != 5 {
		t.Errorf("difference %+v", d)
	}
	if d := h.Sub(Histogram{From: 1, Counts: []uint64{6}}); d.Count() != 13 {
		t.Errorf("of one that had counted more: %+v, want all", d)
	}
}
