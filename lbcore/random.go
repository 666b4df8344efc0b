package lbcore

import (
	"math/rand/v2"
	"sort"
)

// Random draws two backends in proportion to their weights and takes the one with fewer
// requests in flight for its weight (Mitzenmacher, "The Power of Two Choices in Randomized
// Load Balancing", 2001). It costs the same with few backends and with many.
type Random struct{ lots *lots }

var _ Policy = Random{}

// lots is what Random draws from. One loop owns it.
type lots struct {
	rng  *rand.Rand
	list []*Backend // those that sums is of; kept, so that no other list can lie where it does
	sums []uint32   // of the weights up to each
}

// redraws bounds the draws that a backend which is starting slowly declines, and those of the same one twice.
const redraws = 8

func newRandom(rng *rand.Rand) Random { return Random{&lots{rng: rng}} }

// Pick implements Policy.
func (r Random) Pick(avail []*Backend, _ uint64) *Backend {
	l := r.lots
	if len(avail) == 1 {
		return avail[0]
	}
	if len(l.list) != len(avail) || &l.list[0] != &avail[0] {
		l.take(avail)
	}
	i, j := l.draw(), l.draw()
	for k := 0; i == j; k++ {
		if j = l.draw(); k == redraws { // one weighs far more than all others
			j = (i + 1) % len(avail)
		}
	}
	a, b := avail[i], avail[j]
	m, n := a.inFlight()*int64(b.weight.Load()), b.inFlight()*int64(a.weight.Load())
	if n < m {
		return b
	}
	return a
}

func (l *lots) take(avail []*Backend) {
	l.list, l.sums = avail, l.sums[:0]
	var sum uint32
	for _, b := range avail {
		sum += uint32(b.Weight())
		l.sums = append(l.sums, sum)
	}
}

// draw returns the place of one.
func (l *lots) draw() (i int) {
	for range redraws {
		n := l.rng.Uint32N(l.sums[len(l.sums)-1])
		i = sort.Search(len(l.sums), func(i int) bool { return l.sums[i] > n })
		b := l.list[i]
		if w := b.weight.Load(); w >= int32(b.Weight()) || l.rng.Int32N(int32(b.Weight())) < w {
			break
		}
	}
	return i
}
