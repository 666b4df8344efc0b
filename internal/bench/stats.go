package main

import (
	"math"
	"slices"
	"time"
)

// A Spread describes a set of durations, in milliseconds.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"` // the mean of the middle two of an even number
	P95    float64 `json:"p95"`    // nearest rank: the smallest that 95 % do not exceed; of up to 19, the greatest
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of a set, all zero of an empty one.
func spreadOf(set []float64) Spread {
	if len(set) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(set))
	n := len(s)
	rank := int(math.Ceil(0.95 * float64(n)))
	return Spread{
		Min:    s[0],
		Median: math.Round((s[(n-1)/2]+s[n/2])*5) / 10,
		P95:    s[rank-1],
		Max:    s[n-1],
	}
}

// millis is a duration in milliseconds, to the tenth.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(100*time.Microsecond)) / 10
}

// seconds is a duration in seconds, to the tenth.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }
