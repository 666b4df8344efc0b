package api

import "time"

// Live is how a frontend, pool or backend has done of late. It is missing until the proxy
// has reported twice.
type Live struct {
	Window   time.Duration `json:"window"`         // it was measured over; about 5 s
	Requests float64       `json:"requests_per_s"` // a pool's: answers of its backends
	Errors   float64       `json:"errors_per_s"`   // of a frontend: answers of 500 and above, and those that were cut off
	Refused  float64       `json:"refused_per_s"`  // of a frontend, by its limits, as [Refused] counts; no part of Errors
	BytesIn  float64       `json:"bytes_in_per_s"`
	BytesOut float64       `json:"bytes_out_per_s"`
	P50      time.Duration `json:"p50"` // half of the requests took no longer; 0: there were none
	P95      time.Duration `json:"p95"`
	P99      time.Duration `json:"p99"`
}

// Histogram counts requests by how long they took, in the buckets that a [Status] has the
// bounds of. Those before From and behind the last of Counts are empty.
type Histogram struct {
	From   int
	Counts []uint64
	Sum    time.Duration // of how long they took
}

// Count is the number of requests.
func (h Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// at is the count of bucket i.
func (h Histogram) at(i int) uint64 {
	if i < h.From || i >= h.From+len(h.Counts) {
		return 0
	}
	return h.Counts[i-h.From]
}

// Sub returns what h has counted since it was o. An o that has counted more is of another
// life, and nothing is taken off.
func (h Histogram) Sub(o Histogram) Histogram {
	out := Histogram{From: h.From, Counts: make([]uint64, len(h.Counts)), Sum: h.Sum - o.Sum}
	for i := range h.Counts {
		was := o.at(h.From + i)
		if was > h.Counts[i] {
			return h
		}
		out.Counts[i] = h.Counts[i] - was
	}
	return out
}

// Quantile estimates how long the share q of all requests took at most: exact to a bucket,
// with what is in it spread evenly. bounds are the upper ones, the last bucket has none. It
// is 0 if there were no requests.
func (h Histogram) Quantile(q float64, bounds []time.Duration) time.Duration {
	rank := q * float64(h.Count())
	for i, c := range h.Counts {
		if c == 0 || rank > float64(c) {
			rank -= float64(c)
			continue
		}
		low, bucket := time.Duration(0), h.From+i
		if bucket > 0 && bucket <= len(bounds) {
			low = bounds[bucket-1]
		}
		if bucket >= len(bounds) {
			return low // nothing is known but that it was more
		}
		return low + time.Duration(rank/float64(c)*float64(bounds[bucket]-low))
	}
	return 0
}
