package lbcore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// Checker asks a backend whether it is well. Check is called from one goroutine
// per backend, returns nil for well, and must end when ctx does.
type Checker interface {
	Check(ctx context.Context, addr netip.AddrPort) error
}

// recheckGap keeps failed connections from turning into a storm of checks.
const recheckGap = 10 * time.Millisecond

// keepChecking is the goroutine that owns the health of b. It checks at once,
// then every interval, and soon after a loop has reported a failed connection.
func (b *Backend) keepChecking(ctx context.Context) {
	var h health
	timer := time.NewTimer(0)
	defer timer.Stop()
	var growing, ejecting <-chan time.Time
	var due checkTurns // nil: no check is
	var e ejections
	p := newPace(rand.Uint64())
	for {
		view := b.pool.view.Load()
		cfg := view.cfg.Check
		h.rise, h.fall = cfg.Rise, cfg.Fall
		if growing == nil {
			growing = b.grow(time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-growing:
			growing = nil
		case why := <-b.outlier:
			if over := b.eject(&e, why, time.Now()); over != nil {
				ejecting = over
			}
		case <-ejecting:
			ejecting = nil
			b.takeBack()
		case err := <-b.suspect:
			b.learn(&h, fmt.Errorf("a request's connection failed: %w", err), 0)
			timer.Reset(recheckGap)
		case <-b.again:
			h.excuse()
			b.takeBack()
			ejecting = nil
			timer.Reset(0)
		case <-timer.C:
			due = b.pool.proxy.turns
		case due <- struct{}{}:
			start := time.Now()
			var err error
			done := false
			due.during(func() { err, done = b.checkNow(ctx, view) })
			due = nil
			switch {
			case ctx.Err() != nil:
				return
			case !done:
				h.excuse()
				timer.Reset(0)
				continue
			}
			b.checks.Add(1)
			if err != nil {
				b.badChecks.Add(1)
			}
			b.learn(&h, err, time.Since(start))
			timer.Reset(p.next(&cfg, view.many, time.Since(start)))
		}
	}
}

// checkNow makes one check. It is not done if ctx has ended, or if Recheck made it worthless: the packets of a check
// that began while the network was away are repeated only after a second or more.
func (b *Backend) checkNow(ctx context.Context, view *poolView) (err error, done bool) {
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() { result <- view.checkOnce(ctx, b.addr) }()
	select {
	case err = <-result:
		done = ctx.Err() == nil
	case <-b.again:
		cancel()
		<-result
	}
	cancel()
	return err, done
}

// Recheck has all backends checked now, in place of checks under way, and forgets the failures that were counted: this
// node was cut off, so they say nothing of the backends. One that had gone down is up after one good check.
func (p *Proxy) Recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pool := range p.pools {
		pool.recheck()
	}
}

func (p *Pool) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.backends {
		select {
		case b.again <- struct{}{}:
		default: // it is about to
		}
	}
}

func (v *poolView) checkOnce(ctx context.Context, addr netip.AddrPort) error {
	cfg := &v.cfg.Check
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, fmt.Errorf("timeout of %v", cfg.Timeout))
	defer cancel()
	if cfg.Checker != nil {
		return cfg.Checker.Check(ctx, addr)
	}
	return cfg.asker.Ask(ctx, addr, v.checkTLS.base())
}

// learn takes the result of a check, or of a request's connection attempt, for
// which took is 0.
func (b *Backend) learn(h *health, err error, took time.Duration) {
	var turned bool
	if err == nil {
		turned = h.good()
	} else {
		turned = h.bad()
	}
	old := b.status.Load()
	st := *old
	st.up, st.reason, st.checked = h.up, "", time.Now()
	if err != nil {
		st.reason = check.Reason(err)
	}
	if took > 0 {
		st.took = took
	}
	if turned {
		st.since = st.checked
	}
	b.status.Store(&st)
	if turned {
		b.reweigh(st.since)
		b.pool.turned(b, &st, old.since, err)
	}
}

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
