package owners

import (
	"cmp"
	"slices"
	"time"
)

// run is a series of successive requests answered by one host. It proves
// ownership from its first answer to its last request; a run of one answer
// proves no stretch at all (from > to).
type run struct {
	from time.Duration // arrival of the first answer
	to   time.Duration // departure of the last request
}

// runs finds every run in successive requests.
func (b *Book) runs(probes []probe) []run {
	var done []run
	open := map[string]*run{}
	for _, p := range probes {
		now := map[string]*run{}
		for _, a := range p.answers {
			if !b.owning(p, a) {
				continue
			}
			r := open[a.host]
			if r == nil {
				r = &run{from: a.at}
			}
			r.to = p.sent
			now[a.host] = r
		}
		for h, r := range open {
			if now[h] == nil {
				done = append(done, *r)
			}
		}
		open = now
	}
	for _, r := range open {
		done = append(done, *r)
	}
	return done
}

// overlap returns how many runs share an instant at most, and for how long two
// or more do.
func overlap(runs []run) (most int, two time.Duration) {
	type edge struct {
		at   time.Duration
		step int
	}
	var edges []edge
	for _, r := range runs {
		if r.from < r.to {
			edges = append(edges, edge{r.from, +1}, edge{r.to, -1})
		}
	}
	// At one instant ends come before beginnings: touching is not sharing.
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step))
	})
	level := 0
	var last time.Duration
	for _, e := range edges {
		if level > 1 {
			two += e.at - last
		}
		level += e.step
		last = e.at
		most = max(most, level)
	}
	return most, two
}
