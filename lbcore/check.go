package lbcore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// Checker asks a backend whether it is well. Check is called from one goroutine
// per backend, returns nil for well, and must end when ctx does.
type Checker interface {
	Check(ctx context.Context, addr netip.AddrPort) error
}

// TCPCheck is well if a connection can be made, and a TLS handshake on it.
type TCPCheck struct {
	TLS *tls.Config // nil: none
}

// HTTPCheck is well if GET Path is answered with a status from StatusMin to
// StatusMax.
type HTTPCheck struct {
	Path, Host           string
	StatusMin, StatusMax int
	TLS                  *tls.Config // nil: plain
}

var (
	_ Checker = TCPCheck{}
	_ Checker = HTTPCheck{}
)

// Check implements Checker.
func (t TCPCheck) Check(ctx context.Context, addr netip.AddrPort) error {
	c, err := dialCheck(ctx, addr, t.TLS)
	if err != nil {
		return err
	}
	return c.Close()
}

// dialCheck connects, over TLS if cfg is not nil.
func dialCheck(ctx context.Context, addr netip.AddrPort, cfg *tls.Config) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr.String())
	if err != nil || cfg == nil {
		return c, err
	}
	secured := tls.Client(c, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secured, nil
}

// Check implements Checker.
func (h HTTPCheck) Check(ctx context.Context, addr netip.AddrPort) error {
	c, err := dialCheck(ctx, addr, h.TLS)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	status, err := h.ask(c, addr)
	if ctx.Err() != nil {
		return fmt.Errorf("GET %s: no answer in time: %w", h.Path, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", h.Path, err)
	}
	if status < h.StatusMin || status > h.StatusMax {
		return &statusError{h, status}
	}
	return nil
}

// statusError is the answer of a backend that says itself that it is not well.
// It may be about to stop, and to answer what it has first.
type statusError struct {
	check  HTTPCheck
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("GET %s: status %d, want %d to %d", e.check.Path, e.status, e.check.StatusMin, e.check.StatusMax)
}

// ask sends the request and returns the status of the final answer.
func (h HTTPCheck) ask(c net.Conn, addr netip.AddrPort) (int, error) {
	host := h.Host
	if host == "" {
		host = addr.String()
	}
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tandem-check\r\nConnection: close\r\n\r\n", h.Path, host)
	if err != nil {
		return 0, err
	}
	var resp http1.Response
	buf := make([]byte, 0, http1.DefaultHead)
	for {
		head, perr := resp.Parse(buf, nil, http1.Asked{})
		switch {
		case perr != nil:
			return 0, perr
		case head > 0 && !resp.Interim():
			return resp.Status, nil
		case head > 0:
			buf = append(buf[:0], buf[head:]...)
			continue
		case len(buf) == cap(buf):
			return 0, errors.New("the answer's head is too long")
		}
		n, err := c.Read(buf[len(buf):cap(buf)])
		if n == 0 && err != nil {
			return 0, fmt.Errorf("connection ended before an answer: %w", err)
		}
		buf = buf[:len(buf)+n]
	}
}

func (c CheckConfig) checker() Checker {
	switch {
	case c.Checker != nil:
		return c.Checker
	case c.Kind == CheckHTTP:
		return HTTPCheck{c.Path, c.Host, c.StatusMin, c.StatusMax, c.tls}
	}
	return TCPCheck{c.tls}
}

// recheckGap keeps failed connections from turning into a storm of checks.
const recheckGap = 10 * time.Millisecond

// keepChecking is the goroutine that owns the health of b. It checks at once,
// then every interval, and soon after a loop has reported a failed connection.
// Many that came at once are not checked at once for ever: each has a time of
// its own within the interval from its second check on.
func (b *Backend) keepChecking(ctx context.Context) {
	var h health
	timer := time.NewTimer(0)
	defer timer.Stop()
	var growing, ejecting <-chan time.Time
	var e ejections
	for first := true; ; {
		view := b.pool.view.Load()
		cfg := view.cfg.Check
		cfg.tls = view.tls.check(b.addr.Addr(), cfg.Kind)
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
			b.learn(&h, err, 0)
			timer.Reset(recheckGap)
		case <-b.again:
			h.excuse()
			b.takeBack()
			ejecting = nil
			timer.Reset(0)
		case <-timer.C:
			start := time.Now()
			err, done := b.checkNow(ctx, cfg)
			switch {
			case ctx.Err() != nil:
				return
			case !done:
				h.excuse()
				timer.Reset(0)
				continue
			}
			b.learn(&h, err, time.Since(start))
			next := cfg.Interval - time.Since(start)
			if first && view.many {
				next = rand.N(cfg.Interval)
			}
			first = false
			timer.Reset(max(next, recheckGap))
		}
	}
}

// checkNow makes one check. It is not done if ctx has ended, or if Recheck made it worthless: the packets of a check
// that began while the network was away are repeated only after a second or more.
func (b *Backend) checkNow(ctx context.Context, cfg CheckConfig) (err error, done bool) {
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() { result <- checkOnce(ctx, cfg, b.addr) }()
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

func checkOnce(ctx context.Context, cfg CheckConfig, addr netip.AddrPort) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, fmt.Errorf("timeout of %v", cfg.Timeout))
	defer cancel()
	return cfg.checker().Check(ctx, addr)
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
		st.reason = err.Error()
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
