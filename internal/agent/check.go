package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/lbcore/check"
)

// While an app is unwell it is checked every eagerInterval for eagerTime: mostly it is only starting. One that is silent
// has no time for more checks, or this host has none.
const (
	eagerInterval = 50 * time.Millisecond
	eagerTime     = 30 * time.Second
)

// checkResult is the result of one check. Only that of the current run of the app means something.
type checkResult struct {
	app int
	run int64
	err error // why it failed
}

// checker checks one app for ever.
type checker struct {
	probe probe
	every time.Duration
	app   int
	run   atomic.Int64  // of the app; each start and end begins another
	again chan struct{} // check at once; capacity 1
}

func newChecker(cfg config.Check, addr netip.Addr, port uint16, app int) *checker {
	return &checker{probe: newProbe(cfg, addr, port), every: cfg.Interval, app: app, again: make(chan struct{}, 1)}
}

// begin says that the app has started or ended: results of checks begun before are void, and the next is due at once.
func (c *checker) begin() {
	c.run.Add(1)
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// loop checks until ctx ends.
func (c *checker) loop(ctx context.Context, out chan<- checkResult) {
	var run int64
	wellUntil := time.Now()
	for ctx.Err() == nil {
		res := checkResult{app: c.app, run: c.run.Load()}
		asked := time.Now()
		res.err = c.probe.ask(ctx)
		took := time.Since(asked)
		select {
		case out <- res:
		case <-ctx.Done():
			return
		}
		if res.err == nil || res.run != run {
			run, wellUntil = res.run, time.Now()
		}
		c.pause(ctx, c.next(res.err, took, time.Since(wellUntil)))
	}
}

// next is how long to wait after a check that took so long, of an app that has been unwell for so long.
func (c *checker) next(err error, took, unwell time.Duration) time.Duration {
	if err == nil || took >= c.probe.timeout || unwell >= eagerTime {
		return c.every
	}
	return min(c.every, eagerInterval)
}

// pause waits for d, unless the app begins or ends, or ctx does.
func (c *checker) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.again:
	case <-ctx.Done():
	}
}

// probe is one way of asking whether something is well.
type probe struct {
	asker   *check.Asker
	tls     *tls.Config // nil: plain text
	target  netip.AddrPort
	timeout time.Duration
}

// newProbe asks the app that listens at port, at addr or else on this host. cfg has been checked.
func newProbe(cfg config.Check, addr netip.Addr, port uint16) probe {
	if !addr.IsValid() {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	asker, _ := check.New(cfg.Question)
	return probe{asker: asker, tls: tlsOf(cfg.TLS), target: netip.AddrPortFrom(addr, port), timeout: cfg.Timeout}
}

// tlsOf is how a check speaks TLS; nil: it does not. Sessions are not resumed, so that each check
// sees the certificate.
func tlsOf(t *config.PoolTLS) *tls.Config {
	if t == nil {
		return nil
	}
	cfg := &tls.Config{ServerName: t.ServerName, MinVersion: t.MinVersion, InsecureSkipVerify: !t.Verify}
	if len(t.CAs) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AppendCertsFromPEM(t.CAs) // they were read before
	}
	return cfg
}

// ask asks once and returns why it is not well.
func (p probe) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, fmt.Errorf("timeout of %v", p.timeout))
	defer cancel()
	return p.asker.Ask(ctx, p.target, p.tls)
}

// until asks every eagerInterval until it is well, and reports whether it is; not when ctx ends before.
func (p probe) until(ctx context.Context) bool {
	tick := time.NewTicker(eagerInterval)
	defer tick.Stop()
	for p.ask(ctx) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}
