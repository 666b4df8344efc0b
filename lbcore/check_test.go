package lbcore

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a check whose results are set by the test.
type script struct {
	calls atomic.Int32
	err   atomic.Pointer[error]
}

func (s *script) Check(context.Context, netip.AddrPort) error {
	s.calls.Add(1)
	if e := s.err.Load(); e != nil {
		return *e
	}
	return nil
}

func (s *script) fail(err error) { s.err.Store(&err) }

// checkedBackend returns a backend whose checker runs in fake time.
func checkedBackend(t *testing.T, s *script, cfg CheckConfig) (*Proxy, *Backend) {
	p := testProxy(t)
	cfg.Checker = s
	if err := p.SetPools([]PoolConfig{{Name: "web", Check: cfg}}); err != nil {
		t.Fatal(err)
	}
	p.checks.begin()
	if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: netip.MustParseAddrPort("127.0.0.1:1")}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.checks.stop)
	return p, p.Pool("web").backends[0]
}

func TestNewBackendIsCheckedAtOnceAndOneSuccessMakesItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		_, b := checkedBackend(t, s, CheckConfig{Rise: 5})
		synctest.Wait()
		if b.State() != StateUp || s.calls.Load() != 1 {
			t.Errorf("state %s after %d checks", b.State(), s.calls.Load())
		}
	})
}

func TestChecksKeepTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		_, b := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		s.fail(errors.New("ill"))
		time.Sleep(2500 * time.Millisecond)
		if b.State() != StateUp || s.calls.Load() != 3 {
			t.Errorf("after 2 bad checks: state %s, %d checks", b.State(), s.calls.Load())
		}
		time.Sleep(time.Second)
		if snap := b.snapshot(); snap.State != StateDown || snap.Reason != "ill" || snap.Checks != 4 || snap.BadChecks != 3 {
			t.Errorf("after 3 bad checks: %+v", snap)
		}
		s.err.Store(nil)
		time.Sleep(time.Second)
		if b.State() != StateDown {
			t.Error("one good check brought it back, want 2")
		}
		time.Sleep(time.Second)
		if snap := b.snapshot(); snap.State != StateUp || snap.Reason != "" || time.Since(snap.Since) > time.Second {
			t.Errorf("after 2 good checks: %+v", snap)
		}
	})
}

func TestFailedConnectionsTakeAKilledBackendDownWithoutWaitingForTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p, b := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		for len(p.Changes()) > 0 {
			<-p.Changes()
		}
		killed := time.Now()
		s.fail(errors.New("refused"))
		for range 3 {
			b.failed(errors.New("refused"))
			b.failed(errors.New("refused")) // coalesced
			time.Sleep(recheckGap + time.Millisecond)
		}
		if b.State() != StateDown || time.Since(killed) > 100*time.Millisecond {
			t.Errorf("state %s after %v", b.State(), time.Since(killed))
		}
		if len(p.Changes()) != 1 {
			t.Error("the change was not told")
		}
	})
}

func TestRemovedBackendIsCheckedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		p, _ := checkedBackend(t, s, CheckConfig{})
		synctest.Wait()
		if err := p.Pool("web").Set(nil); err != nil {
			t.Fatal(err)
		}
		n := s.calls.Load()
		time.Sleep(time.Minute)
		if s.calls.Load() != n {
			t.Errorf("%d checks after it was removed", s.calls.Load()-n)
		}
	})
}

// hanging is a check whose packets are lost while the network is away: they are repeated
// long after it is back.
type hanging struct {
	away  atomic.Bool
	calls atomic.Int32
}

func (h *hanging) Check(ctx context.Context, _ netip.AddrPort) error {
	h.calls.Add(1)
	if !h.away.Load() {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestARecheckTakesThePlaceOfAHangingCheckAndForgivesWhatWasFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(hanging)
		p := testProxy(t)
		err := p.SetPools([]PoolConfig{{Name: "web", Check: CheckConfig{
			Checker: h, Interval: 10 * time.Second, Timeout: 5 * time.Second, Rise: 5, Fall: 1,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		p.checks.begin()
		t.Cleanup(p.checks.stop)
		if err := p.Pool("web").Set([]BackendConfig{{ID: "s1", Addr: netip.MustParseAddrPort("127.0.0.1:1")}}); err != nil {
			t.Fatal(err)
		}
		b := p.Pool("web").backends[0]
		synctest.Wait()
		if b.State() != StateUp {
			t.Fatal("not up")
		}
		h.away.Store(true)
		time.Sleep(21 * time.Second) // it is down, and the next check hangs
		if b.State() != StateDown || h.calls.Load() != 3 {
			t.Fatalf("state %s after %d checks", b.State(), h.calls.Load())
		}
		h.away.Store(false)
		p.Recheck()
		synctest.Wait()
		if b.State() != StateUp || h.calls.Load() != 4 {
			t.Errorf("state %s after %d checks; want up by the fourth, in place of the third", b.State(), h.calls.Load())
		}
		p.Recheck() // while none is under way
		synctest.Wait()
		if h.calls.Load() != 5 {
			t.Errorf("%d checks, want a fifth at once", h.calls.Load())
		}
	})
}
