package lbcore

import "math/rand/v2"

// Policy picks one of the available backends, which are never none. Each loop
// has its own Policy, so Pick needs no lock; it must not block or allocate. key
// is a hash of what the request should stick to; policies that do not stick
// ignore it.
type Policy interface {
	Pick(avail []*Backend, key uint64) *Backend
}

// RoundRobin is smooth weighted round robin: in each cycle of as many picks as
// the weights add up to, every backend is picked weight times, spread as evenly
// as can be (nginx's algorithm). The state sits with the backends, one word per
// slot, so it survives changes of the set. More than 32 of them take turns at
// distances that go by their weights, which costs no more than a few do.
type RoundRobin struct {
	slot int
	rota *rota
}

var _ Policy = RoundRobin{}

// Pick implements Policy.
func (r RoundRobin) Pick(avail []*Backend, _ uint64) *Backend {
	if len(avail) > maxScanned && r.rota != nil {
		return r.rota.next(avail)
	}
	var best *Backend
	total := 0
	for _, b := range avail {
		w := int(b.weight.Load())
		total += w
		b.slots[r.slot].credit += w
		if best == nil || b.slots[r.slot].credit > best.slots[r.slot].credit {
			best = b
		}
	}
	best.slots[r.slot].credit -= total
	return best
}

// LeastConn picks the backend with the fewest requests in flight, on all loops
// together and in proportion to its weight; tunnels count. Those that are equal
// take turns as in RoundRobin. It costs a read of every backend's count in every
// slot, so it is for requests that last. Of more than 32 backends, the eight
// whose turn it is are looked at: with that many there is always one that is
// nearly idle among eight, or none is.
type LeastConn struct {
	slot int
	rota *rota
}

// drawn is how many of many backends LeastConn looks at.
const drawn = 8

var _ Policy = LeastConn{}

// Pick implements Policy.
func (l LeastConn) Pick(avail []*Backend, _ uint64) *Backend {
	if len(avail) == 1 {
		return avail[0]
	}
	if len(avail) > maxScanned && l.rota != nil {
		return l.leastOfDrawn(avail)
	}
	least := avail[0]
	n, w := least.inFlight(), int64(least.weight.Load())
	for _, b := range avail[1:] {
		if m, v := b.inFlight(), int64(b.weight.Load()); m*w < n*v {
			least, n, w = b, m, v
		}
	}
	var best *Backend
	total := 0
	for _, b := range avail {
		v := int(b.weight.Load())
		if b != least && b.inFlight()*w != n*int64(v) {
			continue
		}
		total += v
		b.slots[l.slot].credit += v
		if best == nil || b.slots[l.slot].credit > best.slots[l.slot].credit {
			best = b
		}
	}
	best.slots[l.slot].credit -= total
	return best
}

func (l LeastConn) leastOfDrawn(avail []*Backend) *Backend {
	var least *Backend
	var n, w int64
	for range drawn {
		b := l.rota.next(avail)
		m, v := b.inFlight(), int64(b.weight.Load())
		if least == nil || m*w < n*v {
			least, n, w = b, m, v
		}
	}
	return least
}

// policyNames are those that PoolConfig.Policy may be.
var policyNames = []string{"roundrobin", "leastconn", "random", "hash"}

// newPolicy makes the policy of cfg, which was checked, for one slot.
func newPolicy(cfg *PoolConfig, slot int) Policy {
	switch cfg.Policy {
	case "leastconn":
		return LeastConn{slot, &rota{slot: slot}}
	case "random":
		return newRandom(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	case "hash":
		return Hash{factor: cfg.Hash.BalanceFactor, load: new(loadCount)}
	}
	return RoundRobin{slot, &rota{slot: slot}}
}
