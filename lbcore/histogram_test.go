package lbcore

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEveryDurationHasItsBucket(t *testing.T) {
	for i := range HistogramBuckets - 1 {
		bound := HistogramBound(i)
		if got := bucketOf(bound - 1); got != i {
			t.Errorf("%v belongs to bucket %d, want %d", bound-1, got, i)
		}
		if got := bucketOf(bound); got != i+1 {
			t.Errorf("%v belongs to bucket %d, want %d", bound, got, i+1)
		}
		if i > 0 && bound*4 > HistogramBound(i-1)*5 {
			t.Errorf("bucket %d reaches from %v to %v", i, HistogramBound(i-1), bound)
		}
	}
	for d, want := range map[time.Duration]int{-1: 0, 0: 0, 1 << 62: HistogramBuckets - 1} {
		if got := bucketOf(d); got != want {
			t.Errorf("%v belongs to bucket %d, want %d", d, got, want)
		}
	}
	if HistogramBound(HistogramBuckets-1) >= 0 {
		t.Error("the last bucket has a bound")
	}
}

func TestQuantilesAreRightToABucket(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var parts [3]histogram // as of three loops
	var all []time.Duration
	var sum time.Duration
	for i := range 3000 {
		d := 20*time.Microsecond + time.Duration(rng.ExpFloat64()*float64(5*time.Millisecond))
		parts[i%3].observe(d)
		all = append(all, d)
		sum += d
	}
	var h Histogram
	for i := range parts {
		var part Histogram
		parts[i].addTo(&part)
		h.Add(&part)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 1} {
		exact, got := all[int(q*float64(len(all)-1))], h.Quantile(q)
		if got < exact*3/4 || got > exact*4/3 {
			t.Errorf("quantile %v: %v, exactly it is %v", q, got, exact)
		}
	}
	if h.Count() != 3000 || h.Sum != sum {
		t.Errorf("%d in %v, want 3000 in %v", h.Count(), h.Sum, sum)
	}
}

func TestQuantilesAtTheEnds(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.Counts[HistogramBuckets-1] = 1
	if got, want := h.Quantile(0.5), HistogramBound(HistogramBuckets-2); got != want {
		t.Errorf("beyond the last bound: %v, want %v", got, want)
	}
	h = Histogram{}
	h.Counts[0] = 2
	if got := h.Quantile(0.5); got != 8*time.Microsecond {
		t.Errorf("half of the first bucket: %v", got)
	}
}
