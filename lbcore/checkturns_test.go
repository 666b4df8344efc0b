package lbcore

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// silence answers no check before its time is up.
type silence struct{ begun atomic.Int32 }

func (s *silence) Check(ctx context.Context, _ netip.AddrPort) error {
	s.begun.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func TestNotAllChecksBeginAtOnceAndSilentBackendsHoldUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := testProxy(t), &silence{}
		if err := p.SetPools([]PoolConfig{{Name: "web", Check: CheckConfig{Checker: s, Timeout: time.Minute}}}); err != nil {
			t.Fatal(err)
		}
		p.checks.begin()
		t.Cleanup(p.checks.stop)
		var set []BackendConfig
		for i := range 4*maxCheckTurns + 1 {
			set = append(set, BackendConfig{ID: fmt.Sprint("s", i), Addr: netip.MustParseAddrPort("127.0.0.1:1")})
		}
		if err := p.Pool("web").Set(set); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1, 2, 3, 4} {
			synctest.Wait()
			if got := int(s.begun.Load()); got != want*maxCheckTurns {
				t.Errorf("%d checks have begun after %v, want %d", got, time.Duration(want-1)*longTurn, want*maxCheckTurns)
			}
			time.Sleep(longTurn)
		}
		synctest.Wait()
		if got := int(s.begun.Load()); got != len(set) {
			t.Errorf("%d checks have begun, want all %d", got, len(set))
		}
		if n := len(p.turns); n != 1 { // that of the last one, which has just begun
			t.Errorf("%d turns are taken", n)
		}
		time.Sleep(longTurn)
		synctest.Wait()
		if n := len(p.turns); n != 0 {
			t.Errorf("%d turns are not given back", n)
		}
	})
}

func TestChecksThatEndGiveTheirTurnsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p, _ := checkedBackend(t, s, CheckConfig{})
		for range 5 * maxCheckTurns {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := s.calls.Load(); n < 4*maxCheckTurns || len(p.turns) != 0 {
			t.Errorf("%d checks, and %d turns are still taken", n, len(p.turns))
		}
	})
}
