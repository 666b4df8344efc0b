package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// While an app is unwell it is checked every eagerInterval for eagerTime: mostly it is only starting.
const (
	eagerInterval = 50 * time.Millisecond
	eagerTime     = 30 * time.Second
)

// maxBody is how much of an answer to an HTTP check is read, in bytes.
const maxBody = 64 << 10

// checkResult is the result of one check. Only that of the current run of the app means something.
type checkResult struct {
	run int64
	err error // why it failed
}

// checker checks the app for ever.
type checker struct {
	cfg    Check
	target string        // address and port
	run    atomic.Int64  // of the app; each start and end begins another
	again  chan struct{} // check at once; capacity 1
	out    chan checkResult
	client *http.Client
}

func newChecker(cfg Check, port uint16) *checker {
	return &checker{
		cfg: cfg, target: netip.AddrPortFrom(cfg.Addr, port).String(),
		again: make(chan struct{}, 1), out: make(chan checkResult),
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
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
func (c *checker) loop(ctx context.Context) {
	var run int64
	wellUntil := time.Now()
	for ctx.Err() == nil {
		res := checkResult{run: c.run.Load()}
		res.err = c.check(ctx)
		select {
		case c.out <- res:
		case <-ctx.Done():
			return
		}
		if res.err == nil || res.run != run {
			run, wellUntil = res.run, time.Now()
		}
		wait := c.cfg.Interval
		if res.err != nil && time.Since(wellUntil) < eagerTime {
			wait = min(wait, eagerInterval)
		}
		c.pause(ctx, wait)
	}
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

// check asks the app once and returns why it is not well.
func (c *checker) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if c.cfg.HTTP == "" {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.target)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.target+c.cfg.HTTP, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "tandem-agent")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s: %s", c.cfg.HTTP, resp.Status)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	return err
}
