package lbcore_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// ill is a check that fails for the addresses in it.
type ill struct {
	who atomic.Pointer[map[netip.AddrPort]bool]
}

func (c *ill) Check(_ context.Context, a netip.AddrPort) error {
	if m := c.who.Load(); m != nil && (*m)[a] {
		return errors.New("ill")
	}
	return nil
}

func (c *ill) are(list ...lbcore.BackendConfig) {
	m := make(map[netip.AddrPort]bool)
	for _, b := range list {
		m[b.Addr] = true
	}
	c.who.Store(&m)
}

func checkedBy(c lbcore.Checker) bedOption {
	return func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.Check.Checker = c }
}

// answerers asks so often that all who are given requests answer.
func (l *bed) answerers() string {
	seen := map[string]bool{}
	for range 20 {
		seen[l.askFor("/", "")] = true
	}
	var who string
	for _, id := range []string{"s0", "s1", "s2", "s3"} {
		if seen[id] {
			who += id
		}
	}
	return who
}

func TestBackupsServeOnlyWhileNobodyElseIsUp(t *testing.T) {
	list := answering(t, 4)
	list[2].Backup, list[3].Backup = true, true
	var checks ill
	l := newBed(t, list[:2], checkedBy(&checks))
	must(t, l.Pool("web").Set(list))
	given := func(n int, onBackup bool) {
		t.Helper()
		eventually(t, "given requests", func() bool { s := l.poolState(); return s.Up == n && s.OnBackup == onBackup })
	}
	given(2, false)
	eventually(t, "checked", func() bool { return l.poolState().Backends[3].State == lbcore.StateUp })
	if who := l.answerers(); who != "s0s1" {
		t.Errorf("%s answer", who)
	}
	checks.are(list[0], list[1])
	eventually(t, "backups are used", func() bool { return l.poolState().OnBackup && l.poolState().Up == 2 })
	if who := l.answerers(); who != "s2s3" {
		t.Errorf("%s answer while only backups are up", who)
	}
	checks.are(list[0])
	given(1, false)
	if who := l.answerers(); who != "s1" {
		t.Errorf("%s answer when one is up again", who)
	}
}

func TestWhenTooFewAreUpAllAreGivenRequests(t *testing.T) {
	list := answering(t, 3)
	var checks ill
	l := newBed(t, list, checkedBy(&checks), func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.PanicThreshold = 50 })
	checks.are(list[0])
	eventually(t, "one is down", func() bool { s := l.poolState(); return s.Up == 2 && !s.Panic })
	checks.are(list[0], list[1])
	eventually(t, "panic", func() bool { s := l.poolState(); return s.Up == 3 && s.Panic })
	if who := l.answerers(); who != "s0s1s2" {
		t.Errorf("%s answer in panic", who)
	}
	checks.are()
	eventually(t, "no panic", func() bool { s := l.poolState(); return s.Up == 3 && !s.Panic })
}
