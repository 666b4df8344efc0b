package lbcore

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	const second = time.Second
	cfg := func(jitter int) *CheckConfig { return &CheckConfig{Interval: second, Jitter: jitter} }
	t.Run("without jitter each pause is the interval, less what the check took", func(t *testing.T) {
		p := newPace(1)
		for range 3 {
			if d := p.next(cfg(0), false, 100*time.Millisecond); d != 900*time.Millisecond {
				t.Error(d)
			}
		}
	})
	t.Run("a check that takes longer than the interval is not followed at once", func(t *testing.T) {
		if d := newPace(1).next(cfg(0), false, 2*second); d != recheckGap {
			t.Error(d)
		}
	})
	t.Run("the same seed, the same pauses", func(t *testing.T) {
		a, b, c := newPace(1), newPace(1), newPace(2)
		same, other := true, true
		for range 10 {
			d := a.next(cfg(10), false, 0)
			same, other = same && d == b.next(cfg(10), false, 0), other && d == c.next(cfg(10), false, 0)
		}
		if !same || other {
			t.Errorf("same %v, other %v", same, other)
		}
	})
	t.Run("the second check comes anywhere in the interval, the others within the jitter", func(t *testing.T) {
		var first [4]int
		sum := time.Duration(0)
		for seed := range uint64(1000) {
			p := newPace(seed)
			first[min(3, p.next(cfg(10), false, 0)*4/second)]++
			d := p.next(cfg(10), false, 0)
			if d < 900*time.Millisecond || d > 1100*time.Millisecond {
				t.Fatal(d)
			}
			sum += d
		}
		for _, n := range first {
			if n < 180 || n > 320 { // 250 are expected, with a deviation of 14
				t.Errorf("quarters of the interval: %v", first)
			}
		}
		if mean := sum / 1000; mean < 990*time.Millisecond || mean > 1010*time.Millisecond {
			t.Errorf("the mean pause is %v", mean)
		}
	})
}

// Two balancers that start at one instant, with the same backends.
func TestBackendsAreNotCheckedAtOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		atOnce := func(jitter int) (most int32) {
			var all []*script
			for range 20 {
				s := &script{}
				checkedBackend(t, s, CheckConfig{Jitter: jitter})
				all = append(all, s)
			}
			synctest.Wait()
			sum := func() (n int32) {
				for _, s := range all {
					n += s.calls.Load()
				}
				return n
			}
			before := sum()
			for range 1000 {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				most, before = max(most, sum()-before), sum()
			}
			return most
		}
		if n := atOnce(0); n != 20 {
			t.Errorf("without jitter at most %d of 20 are checked in the same 10 ms", n)
		}
		if n := atOnce(10); n > 6 {
			t.Errorf("with jitter %d of 20 are checked in the same 10 ms", n)
		}
		t.Log(time.Since(began))
	})
}
