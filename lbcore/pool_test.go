package lbcore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
)

// testProxy returns a proxy that is not run; the parts tested with it are
// portable.
func testProxy(t *testing.T) *Proxy {
	cfg, err := Config{Loops: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(cfg)
	p.engine = &engine{}
	return p
}

func testPool(t *testing.T) *Pool {
	p := testProxy(t)
	if err := p.SetPools([]PoolConfig{{Name: "web"}}); err != nil {
		t.Fatal(err)
	}
	return p.Pool("web")
}

func at(id string, port uint16) BackendConfig {
	return BackendConfig{ID: id, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
}

// allUp pretends that every backend was checked.
func allUp(p *Pool) {
	for _, b := range p.backends {
		b.status.Store(&status{up: true})
	}
	p.refresh()
}

func set(t *testing.T, p *Pool, list ...BackendConfig) {
	t.Helper()
	if err := p.Set(list); err != nil {
		t.Fatal(err)
	}
}

func TestSetKeepsHealthAndCountersOfTheSameID(t *testing.T) {
	p := testPool(t)
	set(t, p, at("a", 1), at("b", 2))
	allUp(p)
	lease, err := p.Acquire(0)
	if err != nil {
		t.Fatal(err)
	}
	lease.Done(nil)
	heavier := at("a", 1)
	heavier.Weight = 7
	set(t, p, at("c", 3), heavier)
	s := p.snapshot()
	if s.Up != 1 || len(s.Backends) != 2 || s.Backends[1].ID != "a" || s.Backends[1].State != StateUp || s.Backends[1].Weight != 7 || s.Backends[1].Counters.Requests != 1 {
		t.Errorf("%+v", s)
	}
	set(t, p, at("a", 9))
	if s := p.snapshot(); s.Up != 0 || s.Backends[0].State != StateDown || s.Backends[0].Counters.Requests != 0 {
		t.Errorf("a new address is a new app, but: %+v", s)
	}
}

func TestSetRefusesAWholeListThatHasAnError(t *testing.T) {
	p := testPool(t)
	set(t, p, at("a", 1))
	bad := at("x", 4)
	bad.Weight = 300
	zoned := BackendConfig{ID: "z", Addr: netip.MustParseAddrPort("[fe80::1%eth0]:80")}
	err := p.Set([]BackendConfig{at("b", 2), at("b", 3), {ID: "y"}, bad, at("", 5), zoned})
	mustSay(t, err, `"b" is given twice`, `"y"`, `weight 300`, "no id", "zone")
	if s := p.snapshot(); len(s.Backends) != 1 || s.Backends[0].ID != "a" {
		t.Errorf("the set was changed: %+v", s.Backends)
	}
}

func TestAcquireLeavesOutTriedDrainedAndDownBackends(t *testing.T) {
	p := testPool(t)
	drained := at("d", 4)
	drained.Drain = true
	set(t, p, at("a", 1), at("b", 2), at("c", 3), drained)
	allUp(p)
	p.backends[2].status.Store(&status{})
	p.refresh()
	for range 10 {
		l, err := p.Acquire(0, p.backends[0])
		if err != nil || l.Backend().ID() != "b" {
			t.Fatalf("%v, %v", l, err)
		}
		l.Done(nil)
	}
	if _, err := p.Acquire(0, p.backends[0], p.backends[1]); !errors.Is(err, ErrNoBackend) {
		t.Errorf("error %v, want ErrNoBackend", err)
	}
}

func TestLeaseIsCountedUntilDone(t *testing.T) {
	p := testPool(t)
	set(t, p, at("a", 1))
	allUp(p)
	l, _ := p.Acquire(0)
	if n := p.snapshot().Backends[0].Counters; n.Current != 1 || n.Requests != 1 {
		t.Errorf("%+v", n)
	}
	l.Done(&net.OpError{Op: "dial", Err: errors.New("refused")})
	l.Done(context.DeadlineExceeded)
	if n := p.snapshot().Backends[0].Counters; n.Current != 0 || n.Errors != (BackendErrors{Connect: 1}) {
		t.Errorf("%+v", n)
	}
	if len(p.backends[0].suspect) != 1 {
		t.Error("the checker was not told of the failed connection")
	}
}

func TestSetPoolsKeepsPoolsByName(t *testing.T) {
	p := testPool(t)
	set(t, p, at("a", 1))
	allUp(p)
	if err := p.proxy.SetPools([]PoolConfig{{Name: "web", MaxIdle: 7}, {Name: "api"}}); err != nil {
		t.Fatal(err)
	}
	if p.proxy.Pool("web") != p || p.view.Load().cfg.MaxIdle != 7 || len(p.view.Load().avail) != 1 {
		t.Error("the pool was not kept, or not changed")
	}
	if err := p.proxy.SetPools([]PoolConfig{{Name: "api"}, {Name: "api"}, {Name: "x", Policy: "y"}}); err == nil || p.proxy.Pool("web") == nil {
		t.Errorf("a bad set was taken: %v", err)
	}
	if err := p.proxy.SetPools([]PoolConfig{{Name: "api"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Set([]BackendConfig{at("b", 1)}); err == nil || p.proxy.Pool("web") != nil {
		t.Error("a removed pool still works")
	}
}
