package lbcore

import (
	"cmp"
	"math"
	"slices"
)

// maglevSize is the number of places in a table (a prime). Shares are exact to a place
// each, so for up to some 600 backends to a hundredth.
const maglevSize = 65537

// maglev is a table that gives each key a backend (Eisenbud et al., "Maglev", NSDI 2016,
// 3.4), in proportion to the weights, and the same backend to nearly every key when others
// come or go. It is immutable, the same on all balancers that see the same backends, and
// made by the checkers, so that it costs a loop nothing.
type maglev struct {
	list   []*Backend // that it is of
	places []int32    // of list
	weight int        // of all
}

func newMaglev(list []*Backend) *maglev {
	t := &maglev{list: list, places: make([]int32, maglevSize)}
	if len(list) == 0 {
		return t
	}
	for i := range t.places {
		t.places[i] = -1
	}
	type claimant struct {
		i            int
		at, skip     uint64
		weight, owed int
	}
	claimants := make([]claimant, len(list))
	most := 0
	for i, b := range list {
		h := hashBytes(b.id)
		w := b.Weight()
		claimants[i] = claimant{i: i, at: h % maglevSize, skip: mix(h+1)%(maglevSize-1) + 1, weight: w}
		t.weight += w
		most = max(most, w)
	}
	slices.SortFunc(claimants, func(a, b claimant) int { return cmp.Compare(list[a.i].id, list[b.i].id) })
	for left := maglevSize; ; {
		for i := range claimants {
			c := &claimants[i]
			if c.owed += c.weight; c.owed < most { // the lighter ones claim more seldom
				continue
			}
			c.owed -= most
			for t.places[c.at] >= 0 {
				c.at = (c.at + c.skip) % maglevSize
			}
			t.places[c.at] = int32(c.i)
			if left--; left == 0 {
				return t
			}
		}
	}
}

// Hash picks the same backend for the same key as long as it is available, and spreads
// keys in proportion to the weights. With a balance factor, a key whose backend has more
// than its share of the requests under way goes to another one, always the same first.
type Hash struct {
	table  *maglev // of the pool's view that this is in; nil: none
	factor int     // HashConfig.BalanceFactor
	load   *loadCount
}

var _ Policy = Hash{}

// withTable returns policies, all of them Hash, with a table.
func withTable(policies []Policy, t *maglev) []Policy {
	with := make([]Policy, len(policies))
	for i, p := range policies {
		h := p.(Hash)
		h.table = t
		with[i] = h
	}
	return with
}

// loadCount is how many requests are under way on the backends of a table. With many of
// them it is counted now and then only. One loop owns it.
type loadCount struct {
	of    *maglev
	total int64
	age   int
}

// countEvery is how many picks among many backends a count of their load serves for.
const countEvery = 64

// probes bounds the places that are looked at for a backend that has room.
const probes = 32

// Pick implements Policy.
func (h Hash) Pick(avail []*Backend, key uint64) *Backend {
	t := h.table
	if t == nil || len(t.list) != len(avail) || &t.list[0] != &avail[0] {
		return rendezvous(avail, key) // without those that were tried
	}
	b := t.list[t.places[key%maglevSize]]
	if h.factor == 0 || len(avail) == 1 {
		return b
	}
	total := h.load.count(t) + 1 // this one
	at := key
	for range probes {
		if t.list[t.places[at%maglevSize]].within(h.factor, total, t.weight) {
			return t.list[t.places[at%maglevSize]]
		}
		at = mix(at + 1)
	}
	for i := range avail { // few have room, but one has
		if o := avail[(key+uint64(i))%uint64(len(avail))]; o.within(h.factor, total, t.weight) {
			return o
		}
	}
	return b
}

// within says that b, given one request more, has at most factor percent of its share of
// total, rounded up.
func (b *Backend) within(factor int, total int64, weights int) bool {
	share := 100 * int64(weights)
	most := (int64(factor)*total*int64(b.Weight()) + share - 1) / share
	return b.inFlight() < most
}

func (l *loadCount) count(t *maglev) int64 {
	if l.of == t && len(t.list) > maxScanned && l.age < countEvery {
		l.age++
		return l.total
	}
	l.of, l.age, l.total = t, 0, 0
	for _, b := range t.list {
		l.total += b.inFlight()
	}
	return l.total
}

// rendezvous is weighted rendezvous hashing: it needs no table, and looks at each.
func rendezvous(avail []*Backend, key uint64) *Backend {
	var best *Backend
	least := math.Inf(1)
	for _, b := range avail {
		u := (float64(mix(key^hashBytes(b.id))>>11) + 1) / (1<<53 + 1) // above 0, below 1
		if score := -math.Log(u) / float64(b.Weight()); score < least || best == nil {
			best, least = b, score
		}
	}
	return best
}
