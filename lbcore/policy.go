package lbcore

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
// slot, so it survives changes of the set.
type RoundRobin struct{ slot int }

var _ Policy = RoundRobin{}

// Pick implements Policy.
func (r RoundRobin) Pick(avail []*Backend, _ uint64) *Backend {
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
