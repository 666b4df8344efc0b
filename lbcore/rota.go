package lbcore

// maxScanned is how many backends a policy looks at one by one for each request. Of more than
// that it knows the order, so that a pool may be large at no cost to a request.
const maxScanned = 32

// rota is the order in which many backends have their turns: each time, the one that is due
// first, and it is due again the later the less it weighs (stride scheduling). A pick costs a
// few comparisons, whatever their number; a change of the list is taken in at the next pick.
// One loop owns it.
type rota struct {
	slot int
	list []*Backend // those that the order is of; kept, so that no other list can lie where it does
	heap []turn     // the first is due first
}

// turn is when a backend is due, in turnLength / weight per turn taken.
type turn struct {
	at uint64
	i  int32 // of list
}

// turnLength leaves room for 2^40 turns of a backend, and divides by MaxWeight.
const turnLength = 1 << 24

func (t turn) before(o turn) bool { return t.at < o.at || t.at == o.at && t.i < o.i }

// next takes the turn of the one that is due first among avail, which has more than one.
func (t *rota) next(avail []*Backend) *Backend {
	if len(t.list) != len(avail) || &t.list[0] != &avail[0] {
		t.take(avail)
	}
	first := t.heap[0]
	b := t.list[first.i]
	first.at += stride(b)
	b.slots[t.slot].turn = first.at
	t.heap[0] = first
	t.down(0)
	return b
}

func stride(b *Backend) uint64 { return turnLength / uint64(b.weight.Load()) }

// take makes avail the list. Who was there before keeps its place; who is new, or was away,
// is due now, and has missed nothing.
func (t *rota) take(avail []*Backend) {
	fresh, now := len(t.heap) == 0, uint64(0)
	if !fresh {
		now = t.heap[0].at
	}
	t.list, t.heap = avail, t.heap[:0]
	for i, b := range avail {
		at := now
		if !fresh { // else what stands there is another order's
			at = min(max(b.slots[t.slot].turn, now), now+stride(b))
		}
		b.slots[t.slot].turn = at
		t.heap = append(t.heap, turn{at, int32(i)})
	}
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.down(i)
	}
}

// down lets the turn at i sink to its place.
func (t *rota) down(i int) {
	h := t.heap
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
