package lbcore

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWeightGrowsEvenly(t *testing.T) {
	for _, tc := range []struct {
		up   time.Duration
		want int
	}{{-time.Second, 1}, {0, 1}, {time.Second, 10}, {5 * time.Second, 50}, {9999 * time.Millisecond, 99}, {10 * time.Second, 100}, {time.Hour, 100}} {
		if got := rampWeight(100, tc.up, 10*time.Second); got != tc.want {
			t.Errorf("after %v: %d, want %d", tc.up, got, tc.want)
		}
	}
	if got := rampWeight(7, 0, 0); got != 7 {
		t.Errorf("without a slow start: %d", got)
	}
}

func TestWhoComesUpStartsSlowlyAndSoAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p := testProxy(t)
		if err := p.SetPools([]PoolConfig{{Name: "web", Check: CheckConfig{Checker: s}, SlowStart: 10 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		p.checks.begin()
		t.Cleanup(p.checks.stop)
		if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: netip.MustParseAddrPort("127.0.0.1:1")}}); err != nil {
			t.Fatal(err)
		}
		b := p.Pool("web").backends[0]
		share := func(want int) {
			t.Helper()
			if got := b.snapshot().Share; got < want-2 || got > want+2 {
				t.Errorf("a share of %d, want about %d", got, want)
			}
		}
		synctest.Wait()
		share(1)
		time.Sleep(5*time.Second + 50*time.Millisecond) // from now on never at the instant of a check
		share(50)
		if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: b.Addr(), Weight: 200}}); err != nil {
			t.Fatal(err)
		}
		share(100) // half of it still
		time.Sleep(6 * time.Second)
		share(200)
		s.fail(errors.New("ill"))
		time.Sleep(4 * time.Second)
		s.err.Store(nil)
		time.Sleep(2 * time.Second)
		if b.State() != StateUp {
			t.Fatal("not up again")
		}
		if got := b.snapshot(); got.Share > 50 || got.Weight != 200 {
			t.Errorf("a share of %d of %d just after it came up again", got.Share, got.Weight)
		}
	})
}
