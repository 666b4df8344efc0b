package main

import "time"

// A forecast tells how long a run will still take, from what its repetitions took so far.
type forecast struct {
	took  map[[2]string][]time.Duration // by fault and stack
	sum   map[string]time.Duration      // by stack
	count map[string]int
}

func newForecast() *forecast {
	return &forecast{took: map[[2]string][]time.Duration{}, sum: map[string]time.Duration{}, count: map[string]int{}}
}

func (f *forecast) add(fault, stack string, took time.Duration) {
	f.took[[2]string{fault, stack}] = append(f.took[[2]string{fault, stack}], took)
	f.sum[stack] += took
	f.count[stack]++
}

// of is what a repetition will take: the mean of its like, else of those of its stack, else
// usual.
func (f *forecast) of(fault, stack string) time.Duration {
	const usual = 7 * time.Second
	if like := f.took[[2]string{fault, stack}]; len(like) > 0 {
		var sum time.Duration
		for _, d := range like {
			sum += d
		}
		return sum / time.Duration(len(like))
	}
	if f.count[stack] > 0 {
		return f.sum[stack] / time.Duration(f.count[stack])
	}
	return usual
}

// left is what these repetitions will take.
func (f *forecast) left(todo []repetition) time.Duration {
	var sum time.Duration
	for _, r := range todo {
		sum += f.of(r.fault, r.stack)
	}
	return sum
}

// A repetition is a fault's turn on a stack, the i-th from 0 on.
type repetition struct {
	fault, stack string
	i            int
}
