package lbcore

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a [Histogram]: one below 16 µs, then four in each doubling up to
// 67 s, and one beyond. So a bucket is at most a quarter wider than what it holds.
const (
	firstOctave = 4  // 2^4 µs
	lastOctave  = 26 // 2^26 µs
	// HistogramBuckets is how many there are.
	HistogramBuckets = 4*(lastOctave-firstOctave) + 2
)

// Histogram tells how long requests have taken: how many fell into each bucket. The
// zero value is empty. It is a plain value, to be copied and added up.
type Histogram struct {
	Counts [HistogramBuckets]uint64
	Sum    time.Duration
}

// HistogramBound is the upper bound of bucket i, exclusive; the last has none and
// returns a negative one.
func HistogramBound(i int) time.Duration {
	if i >= HistogramBuckets-1 {
		return -1
	}
	octave, quarter := firstOctave+i/4, i%4
	return time.Duration(1<<octave+quarter<<(octave-2)) * time.Microsecond
}

// bucketOf is the index of the bucket that d belongs to.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	octave := bits.Len64(us) - 1
	switch {
	case octave < firstOctave:
		return 0
	case octave >= lastOctave:
		return HistogramBuckets - 1
	}
	return 1 + 4*(octave-firstOctave) + int(us>>(octave-2)&3)
}

// Count is the number of requests.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Add adds what o has counted.
func (h *Histogram) Add(o *Histogram) {
	for i, c := range o.Counts {
		h.Counts[i] += c
	}
	h.Sum += o.Sum
}

// Quantile estimates how long the share q of all requests took at most, 0 to 1: exact
// to a bucket, with what is in it spread evenly. It is 0 if there were none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := q * float64(h.Count())
	if rank == 0 {
		return 0
	}
	for i, c := range h.Counts {
		if rank > float64(c) {
			rank -= float64(c)
			continue
		}
		low, high := time.Duration(0), HistogramBound(i)
		if i > 0 {
			low = HistogramBound(i - 1)
		}
		if high < 0 {
			return low // nothing is known but that it was more
		}
		return low + time.Duration(rank/float64(c)*float64(high-low))
	}
	return HistogramBound(HistogramBuckets - 2)
}

// histogram is a Histogram that one loop writes and others read.
type histogram struct {
	counts [HistogramBuckets]atomic.Uint64
	sum    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	h.counts[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
}

// addTo adds what h has counted to sum.
func (h *histogram) addTo(sum *Histogram) {
	for i := range h.counts {
		sum.Counts[i] += h.counts[i].Load()
	}
	sum.Sum += time.Duration(h.sum.Load())
}
