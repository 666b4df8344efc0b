package loop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// probe is a timer's owner that notes when it was called.
type probe struct {
	Timer
	now   *time.Duration
	fired []time.Duration
	then  func()
}

func (p *probe) Expired() {
	p.fired = append(p.fired, *p.now)
	if p.then != nil {
		p.then()
	}
}

func TestTimersFireNotBeforeTheirTimeAndNoMoreThanATickAfter(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var now time.Duration
	w := NewWheel(now)
	want := map[*probe]time.Duration{} // set timers
	all := make([]*probe, 200)
	for i := range all {
		all[i] = &probe{now: &now}
	}
	for range 20_000 {
		p := all[rng.IntN(len(all))]
		switch rng.IntN(4) {
		case 0, 1:
			at := now + time.Duration(rng.Int64N(int64(100*time.Second)))
			if rng.IntN(2) == 0 {
				at = now + time.Duration(rng.Int64N(int64(time.Second)))
			}
			w.Set(&p.Timer, p, at)
			want[p] = at
		case 2:
			w.Stop(&p.Timer)
			delete(want, p)
		case 3:
			step := time.Duration(rng.Int64N(int64(100 * time.Millisecond)))
			if rng.IntN(200) == 0 {
				step = time.Minute // the loop was held up for more than a turn
			}
			now += step
			w.Advance(now)
			for _, p := range all {
				at, set := want[p]
				due := set && at <= now-tick
				early := set && at > now
				if len(p.fired) > 1 || due && len(p.fired) == 0 || early && len(p.fired) > 0 || !set && len(p.fired) > 0 {
					t.Fatalf("seed %d: at %v: set %v for %v, fired %v", seed, now, set, at, p.fired)
				}
				if len(p.fired) > 0 {
					delete(want, p)
					p.fired = nil
				}
				if _, set := want[p]; set != p.Active() {
					t.Fatalf("seed %d: Active is %v", seed, p.Active())
				}
			}
		}
	}
}

func TestNextNeverSleepsPastATimer(t *testing.T) {
	const limit = 50 * time.Millisecond
	var now time.Duration
	w := NewWheel(now)
	if got := w.Next(now, limit); got != limit {
		t.Errorf("empty wheel: %v, want %v", got, limit)
	}
	p := &probe{now: &now}
	for _, in := range []time.Duration{0, time.Millisecond, 9 * time.Millisecond, 31 * time.Millisecond, 49 * time.Millisecond, time.Hour} {
		w.Set(&p.Timer, p, now+in)
		p.fired = nil
		start := now
		for len(p.fired) == 0 && now < start+time.Second {
			d := w.Next(now, limit)
			if d > limit || d < 0 {
				t.Fatalf("Next %v", d)
			}
			now += max(d, time.Millisecond)
			w.Advance(now)
		}
		if late := now - start - in; in < time.Second && (late < 0 || late > 2*tick) {
			t.Errorf("timer in %v fired after %v", in, now-start)
		}
	}
}

func TestOwnersMaySetAndStopTimersWhileOthersFire(t *testing.T) {
	var now time.Duration
	w := NewWheel(now)
	victim, again := &probe{now: &now}, &probe{now: &now}
	killer := &probe{now: &now, then: func() { w.Stop(&victim.Timer) }}
	again.then = func() { w.Set(&again.Timer, again, now) }
	w.Set(&killer.Timer, killer, tick)
	w.Set(&again.Timer, again, tick)
	w.Set(&victim.Timer, victim, tick)
	now = tick
	w.Advance(now)
	if len(killer.fired) != 1 || len(again.fired) != 1 || len(victim.fired) != 0 {
		t.Errorf("fired: killer %v, again %v, victim %v", killer.fired, again.fired, victim.fired)
	}
	now += tick
	w.Advance(now)
	if len(again.fired) != 2 || len(killer.fired) != 1 {
		t.Errorf("one tick on: again %v, killer %v", again.fired, killer.fired)
	}
}
