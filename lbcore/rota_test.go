package lbcore

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// many makes n backends of random weights.
func many(rng *rand.Rand, n int) []*Backend {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1 + rng.IntN(MaxWeight)
	}
	return backends(weights...)
}

func TestManyBackendsArePickedInProportionToTheirWeights(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{maxScanned + 1, 500} {
		list := many(rng, n)
		total := 0
		for _, b := range list {
			total += b.Weight()
		}
		p := newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)
		got := map[*Backend]int{}
		for cycle := 1; cycle <= 3; cycle++ {
			for range total {
				got[p.Pick(list, 0)]++
			}
			for _, b := range list {
				if off := got[b] - cycle*b.Weight(); off < -2 || off > 2 {
					t.Fatalf("seed %d: after %d cycles of %d backends one of weight %d was picked %d times", seed, cycle, n, b.Weight(), got[b])
				}
			}
		}
	}
}

func TestManyEqualBackendsTakeTurns(t *testing.T) {
	list := backends(make([]int, 40)...)
	for _, b := range list {
		b.weight.Store(100)
	}
	p := newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)
	for i := range 3 * len(list) {
		if got := p.Pick(list, 0); got != list[i%len(list)] {
			t.Fatalf("pick %d is another one", i)
		}
	}
}

// Whoever joins, or comes back, gets its share from then on and no more.
func TestManyBackendsStayFairWhenTheSetChanges(t *testing.T) {
	list := backends(make([]int, 100)...)
	for _, b := range list {
		b.weight.Store(100)
	}
	p := newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)
	for range 70 {
		p.Pick(list, 0)
	}
	fewer := append([]*Backend(nil), list[10:]...)
	for range 9000 {
		p.Pick(fewer, 0)
	}
	for range 50 {
		p.Pick(list[:20], 0) // few enough to be scanned
	}
	again := append([]*Backend(nil), list...)
	got := map[*Backend]int{}
	for range 10 * len(again) {
		got[p.Pick(again, 0)]++
	}
	for i, b := range again {
		if got[b] < 9 || got[b] > 11 {
			t.Errorf("backend %d was picked %d times of 1000", i, got[b])
		}
	}
}

// A pool that gets another policy begins afresh: what its backends remember of an earlier
// order counts for nothing.
func TestANewOrderForgetsTheEarlierOne(t *testing.T) {
	list := backends(make([]int, 50)...)
	for _, b := range list {
		b.weight.Store(1)
	}
	old := newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)
	for range 1025 {
		old.Pick(list, 0)
	}
	p := newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)
	p.Pick(list, 0)
	other := append([]*Backend(nil), list...)
	got := map[*Backend]int{}
	for range 100 {
		got[p.Pick(other, 0)]++
	}
	for i, b := range other {
		if got[b] < 1 || got[b] > 3 {
			t.Errorf("backend %d was picked %d times of 100", i, got[b])
		}
	}
}

func TestLeastConnOfManyAvoidsTheBusy(t *testing.T) {
	list := backends(make([]int, 200)...)
	for i, b := range list {
		b.weight.Store(100)
		if i%2 == 0 {
			b.slots[1].count.current.Store(50)
		}
	}
	p := newPolicy(&PoolConfig{Policy: "leastconn"}, 0)
	for range 1000 {
		b := p.Pick(list, 0)
		if b.slots[1].count.current.Load() == 50 {
			t.Fatal("a busy one was picked")
		}
		b.slots[0].count.current.Add(1)
	}
	for i := 1; i < len(list); i += 2 {
		if n := list[i].inFlight(); n < 5 || n > 15 {
			t.Errorf("backend %d has %d of 1000 in flight, want about 10", i, n)
		}
	}
}

func TestOfManyAnotherOneThanThoseTriedIsPicked(t *testing.T) {
	list := backends(make([]int, 40)...)
	for i, b := range list {
		b.weight.Store(1)
		if i == 7 {
			b.weight.Store(MaxWeight)
		}
	}
	v := &poolView{tiers: tiers{avail: list}, policies: []Policy{newPolicy(&PoolConfig{Policy: "roundrobin"}, 0)}}
	tried := []*Backend{list[7]}
	for range 1000 {
		if b := v.pick(wish{tried: tried}).b; b == nil || b == list[7] {
			t.Fatalf("picked %v", b)
		}
	}
}

// The cost of a pick with 5,000 backends against 3, as a ratio of ns/op.
func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{"roundrobin", "leastconn"} {
		for _, n := range []int{3, 32, 5000} {
			list := many(rand.New(rand.NewPCG(1, 1)), n)
			p := newPolicy(&PoolConfig{Policy: policy}, 0)
			b.Run(policy+"/"+strconv.Itoa(n), func(b *testing.B) {
				for b.Loop() {
					p.Pick(list, 0)
				}
			})
		}
	}
}
