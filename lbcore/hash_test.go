package lbcore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// named makes n backends s0, s1 … of those weights, or of weight 100.
func named(n int, weight func(i int) int) []*Backend {
	list := make([]*Backend, n)
	for i := range list {
		w := DefaultWeight
		if weight != nil {
			w = weight(i)
		}
		list[i] = newBackend(nil, BackendConfig{ID: fmt.Sprintf("s%d", i), Addr: netip.MustParseAddrPort("127.0.0.1:1"), Weight: w}, 3, time.Time{})
		list[i].status.Store(&status{up: true})
	}
	return list
}

func hashOf(list []*Backend, factor int) Hash {
	return Hash{table: newMaglev(list), factor: factor, load: new(loadCount)}
}

func randomSeed(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// chiSquare is Pearson's statistic of counts against what the weights make expected.
func chiSquare(got map[*Backend]int, list []*Backend) (x float64) {
	total, weights := 0, 0
	for _, b := range list {
		total += got[b]
		weights += b.Weight()
	}
	for _, b := range list {
		want := float64(total) * float64(b.Weight()) / float64(weights)
		d := float64(got[b]) - want
		x += d * d / want
	}
	return x
}

// The tests of chance below allow a χ² that a fair policy exceeds once in a billion runs:
// Laurent and Massart's bound for k degrees of freedom.
func tooUneven(x float64, n int) bool {
	k := float64(n - 1)
	const logP = 20.7 // -ln(1e-9)
	return x > k+2*math.Sqrt(k*logP)+2*logP
}

func TestHashSpreadsKeysInProportionToTheWeights(t *testing.T) {
	rng := randomSeed(t)
	for _, n := range []int{2, 3, 10, 100} {
		list := named(n, func(int) int { return 20 + rng.IntN(MaxWeight-20) })
		got := map[*Backend]int{}
		// The places are exact to one each, which 20 keys a place would not yet show.
		h := hashOf(list, 0)
		for range 50 * n * 10 {
			got[h.Pick(list, rng.Uint64())]++
		}
		if x := chiSquare(got, list); tooUneven(x, n) {
			t.Errorf("%d backends: χ² %.0f", n, x)
		}
		clear(got)
		for range 50 * n {
			got[rendezvous(list, rng.Uint64())]++
		}
		if x := chiSquare(got, list); tooUneven(x, n) {
			t.Errorf("%d backends, without a table: χ² %.0f", n, x)
		}
	}
}

func TestKeysOfRealKindsAreSpreadAsChanceWould(t *testing.T) {
	list := named(7, nil)
	h := hashOf(list, 0)
	for kind, key := range map[string]func(i int) uint64{
		"addresses of one network": func(i int) uint64 {
			a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).As16()
			return hashBytes(a[:])
		},
		"numbered paths": func(i int) uint64 { return hashBytes(fmt.Sprintf("/item/%d", i)) },
	} {
		got := map[*Backend]int{}
		for i := range 20000 {
			got[h.Pick(list, key(i))]++
		}
		if x := chiSquare(got, list); tooUneven(x, len(list)) {
			t.Errorf("%s: χ² %.0f", kind, x)
		}
	}
}

func TestHashMovesLittleMoreThanTheKeysOfWhoLeaves(t *testing.T) {
	rng := randomSeed(t)
	for _, n := range []int{3, 10, 100} {
		list := named(n, nil)
		gone := rng.IntN(n)
		rest := append(append([]*Backend{}, list[:gone]...), list[gone+1:]...)
		before, after := hashOf(list, 0), hashOf(rest, 0)
		const keys = 20000
		moved, needless := 0, 0
		for range keys {
			key := rng.Uint64()
			a, b := before.Pick(list, key), after.Pick(rest, key)
			if a != b {
				moved++
				if a != list[gone] {
					needless++
				}
			}
		}
		// Maglev's price: of the keys of those that stay, a few move too.
		if needless > keys*3/100 || moved < keys/n/2 {
			t.Errorf("of %d keys on %d backends %d moved, %d of them needlessly", keys, n, moved, needless)
		}
	}
}

func TestBalancersWithTheSameBackendsHashAlike(t *testing.T) {
	rng := randomSeed(t)
	here, there := named(9, nil), named(9, nil)
	rng.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	a, b := hashOf(here, 0), hashOf(there, 0)
	for range 1000 {
		key := rng.Uint64()
		if x, y := a.Pick(here, key), b.Pick(there, key); x.ID() != y.ID() {
			t.Fatalf("key %d goes to %s and to %s", key, x.ID(), y.ID())
		}
	}
}

func TestABoundedHashGivesNoBackendMoreThanItsFactor(t *testing.T) {
	rng := randomSeed(t)
	for _, n := range []int{3, 10, maxScanned + 8} {
		list := named(n, func(int) int { return 50 + rng.IntN(100) })
		weights := 0
		for _, b := range list {
			weights += b.Weight()
		}
		h := hashOf(list, 125)
		total := int64(0)
		for range 40 * n {
			key := rng.Uint64()
			if rng.IntN(2) == 0 {
				key = 42 // half of all requests are for one thing
			}
			h.Pick(list, key).slots[rng.IntN(2)].count.current.Add(1)
			total++
		}
		slack := int64(0)
		if n > maxScanned {
			slack = countEvery // as old as the count may be
		}
		for _, b := range list {
			most := 125*(total+slack)*int64(b.Weight())/int64(100*weights) + 1
			if b.inFlight() > most {
				t.Errorf("%d backends: %s has %d of %d requests, want at most %d", n, b.ID(), b.inFlight(), total, most)
			}
		}
	}
}

func TestAnUnboundedHashIsFaithful(t *testing.T) {
	list := named(5, nil)
	h := hashOf(list, 0)
	first := h.Pick(list, 7)
	for range 100 {
		b := h.Pick(list, 7)
		b.slots[0].count.current.Add(1)
		if b != first {
			t.Fatalf("the key went to %s and to %s", first.ID(), b.ID())
		}
	}
}

func TestRandomDrawsInProportionToTheWeights(t *testing.T) {
	rng := randomSeed(t)
	for _, n := range []int{2, 3, 10, 1000} {
		list := named(n, func(int) int { return 1 + rng.IntN(MaxWeight) })
		l := newRandom(rng).lots
		l.take(list)
		got := map[*Backend]int{}
		for range 200 * n {
			got[list[l.draw()]]++
		}
		if x := chiSquare(got, list); tooUneven(x, n) {
			t.Errorf("%d backends: χ² %.0f", n, x)
		}
	}
}

func TestTheBetterOfTwoKeepsTheGreatestLoadNearTheMean(t *testing.T) {
	rng := randomSeed(t)
	list := named(100, nil)
	p := newRandom(rng)
	for range 10_000 { // 100 each; a single choice leaves some at 130 and more
		p.Pick(list, 0).slots[rng.IntN(2)].count.current.Add(1)
	}
	for _, b := range list {
		if n := b.inFlight(); n < 90 || n > 106 {
			t.Errorf("%s has %d, want about 100", b.ID(), n)
		}
	}
}

func TestRandomNeverPicksTwiceTheSameOfTwo(t *testing.T) {
	p := newRandom(randomSeed(t))
	list := named(2, nil)
	list[0].slots[0].count.current.Store(5)
	for range 200 {
		if b := p.Pick(list, 0); b != list[1] {
			t.Fatal("the busier one of two was picked")
		}
	}
}
