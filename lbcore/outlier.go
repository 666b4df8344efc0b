package lbcore

import (
	"fmt"
	"time"
)

// OutlierConfig has a backend that fails requests ejected, whatever its checks say (passive
// health, as Envoy's outlier detection). The zero value ejects none.
type OutlierConfig struct {
	// Consecutive5xx answers with a status of 500 and more in a row eject; 0: they do not.
	Consecutive5xx int
	// ConsecutiveErrors in a row eject: no connection, or no good answer, or none in
	// time; 0: they do not.
	ConsecutiveErrors int
	// EjectionTime is how long the first ejection lasts, the second in a row twice that
	// and so on, up to MaxEjectionTime (defaults 30 s and 5 min; 100 ms to 24 h).
	EjectionTime, MaxEjectionTime time.Duration
	// MaxEjected is the share of a pool in percent that may be ejected at one time, 1 to
	// 100 (default 10); one backend may in any case, but never the only one.
	MaxEjected int
}

func (c *OutlierConfig) on() bool { return c.Consecutive5xx > 0 || c.ConsecutiveErrors > 0 }

func (c *OutlierConfig) check(bad func(string, ...any)) {
	orDefault(&c.EjectionTime, 30*time.Second)
	orDefault(&c.MaxEjectionTime, max(5*time.Minute, c.EjectionTime))
	if c.MaxEjected == 0 {
		c.MaxEjected = 10
	}
	if min(c.Consecutive5xx, c.ConsecutiveErrors) < 0 || max(c.Consecutive5xx, c.ConsecutiveErrors) > 10_000 {
		bad("ejection after %d answers and %d errors: want 1 to 10000, or 0 for never", c.Consecutive5xx, c.ConsecutiveErrors)
	}
	if c.EjectionTime < 100*time.Millisecond || c.MaxEjectionTime < c.EjectionTime || c.MaxEjectionTime > 24*time.Hour {
		bad("ejection for %v to %v: want 100ms to 24h, and no less at most than at first", c.EjectionTime, c.MaxEjectionTime)
	}
	if c.MaxEjected < 1 || c.MaxEjected > 100 {
		bad("%d percent ejected at most: want 1 to 100", c.MaxEjected)
	}
}

// ejections is the record of one backend. It is pure; its owner is the backend's checker.
type ejections struct {
	times int       // in a row; one is forgiven for each EjectionTime spent well
	until time.Time // end of the last
}

// eject notes an ejection that begins now, and returns its end.
func (e *ejections) eject(now time.Time, c *OutlierConfig) time.Time {
	if well := now.Sub(e.until); e.times > 0 && well > 0 {
		e.times = max(0, e.times-int(min(well/c.EjectionTime, 1<<20)))
	}
	e.times = min(e.times+1, 1<<20)
	e.until = now.Add(min(c.EjectionTime*time.Duration(min(e.times, int(c.MaxEjectionTime/c.EjectionTime)+1)), c.MaxEjectionTime))
	return e.until
}

// mayEject says whether one more of n backends may be ejected.
func mayEject(ejected, n, percent int) bool {
	return n > 1 && ejected < max(1, n*percent/100)
}

// ejected is why a backend that may be well is given no requests.
type ejected struct {
	since, until time.Time
	reason       string
}

func (e *ejected) String() string {
	return fmt.Sprintf("ejected for %v: %s", e.until.Sub(e.since).Round(time.Millisecond), e.reason)
}

// well says that its checks are good and it is not ejected.
func (b *Backend) well() bool { return b.status.Load().up && b.out.Load() == nil }

// answered is called by loops with each answer's class.
func (b *Backend) answered(class int, c *OutlierConfig) {
	if !c.on() {
		return
	}
	if b.errorsRun.Load() != 0 {
		b.errorsRun.Store(0)
	}
	switch {
	case class < 5:
		if b.badRun.Load() != 0 {
			b.badRun.Store(0)
		}
	case c.Consecutive5xx > 0:
		if n := b.badRun.Add(1); int(n) >= c.Consecutive5xx {
			b.suspectOutlier(fmt.Sprintf("%d answers of 5xx in a row", n))
		}
	}
}

// erred is called by loops with each error of its.
func (b *Backend) erred(c *OutlierConfig) {
	if c.ConsecutiveErrors == 0 {
		return
	}
	if n := b.errorsRun.Add(1); int(n) >= c.ConsecutiveErrors {
		b.suspectOutlier(fmt.Sprintf("%d errors in a row", n))
	}
}

// suspectOutlier tells the checker. It never blocks.
func (b *Backend) suspectOutlier(reason string) {
	if b.out.Load() != nil {
		return
	}
	select {
	case b.outlier <- reason:
	default: // it knows
	}
}

// eject is the checker's: it returns when the ejection ends, nil if there is none.
func (b *Backend) eject(e *ejections, reason string, now time.Time) <-chan time.Time {
	p := b.pool
	b.badRun.Store(0)
	b.errorsRun.Store(0)
	c := &p.view.Load().cfg.Outlier
	if !c.on() || b.out.Load() != nil || !p.claimEjection(c.MaxEjected) {
		return nil
	}
	out := &ejected{since: now, until: e.eject(now, c), reason: reason}
	b.out.Store(out)
	b.ejections.Add(1)
	p.refresh()
	p.proxy.log.Warn("backend ejected", "pool", p.name, "backend", b.id, "addr", b.addr, "for", out.until.Sub(now), "reason", reason)
	return time.After(out.until.Sub(now))
}

// takeBack ends an ejection; it may be called without one.
func (b *Backend) takeBack() {
	if b.out.Swap(nil) == nil {
		return
	}
	b.pool.ejected.Add(-1)
	b.pool.refresh()
	b.pool.proxy.log.Info("an ejected backend is back", "pool", b.pool.name, "backend", b.id, "addr", b.addr)
}

// claimEjection counts one more ejected backend, if there may be.
func (p *Pool) claimEjection(percent int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !mayEject(int(p.ejected.Load()), len(p.backends), percent) {
		p.ejectRefused.Add(1)
		return false
	}
	p.ejected.Add(1)
	return true
}
