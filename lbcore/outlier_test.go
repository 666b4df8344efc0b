package lbcore

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEjectionsGrowAndAreForgiven(t *testing.T) {
	c := &OutlierConfig{EjectionTime: 30 * time.Second, MaxEjectionTime: 100 * time.Second}
	var e ejections
	now := time.Unix(1000, 0)
	for i, step := range []struct{ well, want time.Duration }{
		{0, 30 * time.Second},
		{time.Second, 60 * time.Second},
		{29 * time.Second, 90 * time.Second},
		{0, 100 * time.Second},
		{0, 100 * time.Second},
		{90 * time.Second, 90 * time.Second}, // the fifth in a row, three of which are forgiven: 2 + 1
		{time.Hour, 30 * time.Second},
	} {
		now = now.Add(step.well)
		until := e.eject(now, c)
		if got := until.Sub(now); got != step.want {
			t.Errorf("ejection %d, after %v spent well: %v, want %v", i, step.well, got, step.want)
		}
		now = until
	}
}

func TestNotTooManyAreEjectedAndNeverTheOnlyOne(t *testing.T) {
	for _, tc := range []struct {
		ejected, n, percent int
		may                 bool
	}{{0, 1, 100, false}, {0, 2, 10, true}, {1, 2, 10, false}, {0, 3, 10, true}, {1, 10, 10, false}, {1, 20, 10, true}, {2, 20, 10, false}, {4, 10, 50, true}} {
		if got := mayEject(tc.ejected, tc.n, tc.percent); got != tc.may {
			t.Errorf("%d of %d ejected, at most %d %%: one more %v", tc.ejected, tc.n, tc.percent, got)
		}
	}
}

// outlierPool is a pool of n well backends in fake time.
func outlierPool(t *testing.T, n int, c OutlierConfig) *Pool {
	p := testProxy(t)
	if err := p.SetPools([]PoolConfig{{Name: "web", Check: CheckConfig{Checker: &script{}}, Outlier: c}}); err != nil {
		t.Fatal(err)
	}
	p.checks.begin()
	t.Cleanup(p.checks.stop)
	if err := p.Pool("web").Set(manyConfigs(n)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return p.Pool("web")
}

func TestWhoFailsRequestsIsEjectedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := outlierPool(t, 3, OutlierConfig{Consecutive5xx: 3, ConsecutiveErrors: 2})
		c, b := &p.view.Load().cfg.Outlier, p.backends[0]
		for _, class := range []int{5, 5, 2, 5, 5, 4, 5, 5} { // never three in a row
			b.answered(class, c)
		}
		b.answered(2, c)
		b.erred(c)
		b.answered(5, c) // an answer is no error
		b.erred(c)
		synctest.Wait()
		if b.State() == StateDown {
			t.Fatalf("ejected: %s", b.snapshot().Reason)
		}
		b.answered(2, c)
		for range 3 {
			b.answered(5, c)
		}
		synctest.Wait()
		s := b.snapshot()
		if s.State != StateDown || !strings.Contains(s.Reason, "ejected for 30s: 3 answers of 5xx in a row") || time.Until(s.EjectedUntil) != 30*time.Second {
			t.Fatalf("%+v", s)
		}
		if n := len(p.view.Load().avail); n != 2 {
			t.Errorf("%d are given requests", n)
		}
		other := p.backends[1]
		other.erred(c)
		other.erred(c)
		synctest.Wait()
		if other.State() != StateUp || p.snapshot().Counters.EjectionsRefused != 1 {
			t.Errorf("a second one of three was ejected, or not counted: %+v", p.snapshot().Counters)
		}
		time.Sleep(31 * time.Second)
		if s := b.snapshot(); s.State != StateUp || !s.EjectedUntil.IsZero() || s.Ejections != 1 {
			t.Errorf("after its time: %+v", s)
		}
		other.erred(c)
		other.erred(c)
		synctest.Wait()
		if s := other.snapshot(); s.State != StateDown || !strings.Contains(s.Reason, "2 errors in a row") {
			t.Errorf("then the other: %+v", s)
		}
	})
}

func TestAnEjectedBackendThatLeavesMakesRoomForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := outlierPool(t, 3, OutlierConfig{ConsecutiveErrors: 1})
		c := &p.view.Load().cfg.Outlier
		p.backends[0].erred(c)
		synctest.Wait()
		if p.backends[0].State() != StateDown {
			t.Fatal("not ejected")
		}
		if err := p.Set(manyConfigs(3)[1:]); err != nil {
			t.Fatal(err)
		}
		p.backends[0].erred(c)
		synctest.Wait()
		if p.backends[0].State() != StateDown {
			t.Error("the next was not ejected, as if the one that left still were")
		}
	})
}
