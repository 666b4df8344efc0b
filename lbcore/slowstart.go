package lbcore

import "time"

// rampSteps is in how many steps a weight grows, and leastRamp the shortest of them.
const (
	rampSteps = 50
	leastRamp = 20 * time.Millisecond
)

// rampWeight is the weight of a backend that has been up for so long, when it is to have
// its whole weight after over: it grows evenly, from 1.
func rampWeight(weight int, up, over time.Duration) int {
	if up >= over {
		return weight
	}
	return max(1, int(int64(weight)*int64(max(up, 0))/int64(over)))
}

// reweigh sets the weight that policies go by, and says after how long to do so again; 0
// means never. Any goroutine may call it.
func (b *Backend) reweigh(now time.Time) (again time.Duration) {
	w := b.Weight()
	if b.pool != nil {
		over := b.pool.view.Load().cfg.SlowStart
		if st := b.status.Load(); st.up && now.Sub(st.since) < over {
			w, again = rampWeight(w, now.Sub(st.since), over), max(over/rampSteps, leastRamp)
		}
	}
	b.weight.Store(int32(w))
	return again
}

// grow is the checker's part while the weight grows: it returns when to call it again, nil
// for not.
func (b *Backend) grow(now time.Time) <-chan time.Time {
	again := b.reweigh(now)
	if again == 0 {
		return nil
	}
	if len(b.pool.view.Load().avail) > maxScanned {
		b.pool.refresh() // turns that were given by the old weight are given anew
	}
	return time.After(again)
}
