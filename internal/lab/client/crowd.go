package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// CrowdConfig says who is in a [Crowd]. Target and Dial are required; of each kind there may
// be none. The paths are those of internal/webapp.
type CrowdConfig struct {
	Target netip.AddrPort // IPv4 or IPv6
	Dial   func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)

	Slow     int           // clients whose requests take SlowTime, one after the other on kept connections
	SlowTime time.Duration // default 3 s
	Keep     int           // clients that ask for a small page every KeepPause on kept connections
	// KeepPause is a pause after an answer; default 20 ms.
	KeepPause time.Duration

	Streams     int           // upgraded connections that send a message and want it back
	StreamEvery time.Duration // default 50 ms
	StreamLife  time.Duration // after which the client itself ends one and opens the next; 0: at the end

	Uploads    int           // clients that send one long body each, at a steady pace
	UploadPace int           // bytes a second of each; default 1 MiB
	UploadLife time.Duration // after which a body ends and the next begins; 0: at the end

	Patience time.Duration // for any single answer or message; default 15 s
}

// crowdMax is the most clients of a crowd: each has a goroutine.
const crowdMax = 1000

func (c CrowdConfig) checked() (CrowdConfig, error) {
	if !c.Target.IsValid() || c.Dial == nil {
		return c, fmt.Errorf("client: crowd to %v: want an address and port, and a way to dial", c.Target)
	}
	if n := c.Slow + c.Keep + c.Streams + c.Uploads; n < 1 || n > crowdMax || min(c.Slow, c.Keep, c.Streams, c.Uploads) < 0 {
		return c, fmt.Errorf("client: a crowd of %d: want 1 to %d", n, crowdMax)
	}
	for _, d := range []struct {
		set *time.Duration
		def time.Duration
	}{
		{&c.SlowTime, 3 * time.Second},
		{&c.KeepPause, 20 * time.Millisecond},
		{&c.StreamEvery, 50 * time.Millisecond},
		{&c.Patience, 15 * time.Second},
	} {
		if *d.set == 0 {
			*d.set = d.def
		}
	}
	if c.UploadPace == 0 {
		c.UploadPace = 1 << 20
	}
	if min(c.SlowTime, c.KeepPause, c.StreamEvery, c.StreamLife, c.UploadLife, c.Patience) < 0 || c.UploadPace < 0 {
		return c, errors.New("client: a crowd with a negative time or pace")
	}
	return c, nil
}

// CrowdReport is what became of a crowd's connections.
type CrowdReport struct {
	Requests   int           `json:"requests"`    // answered or failed, of Slow and Keep
	Failed     int           `json:"failed"`      // of these; an end of the connection that no answer had announced is one
	Reconnects int           `json:"reconnects"`  // connections that ended behind an answer that said so
	Streams    int           `json:"streams"`     // that were opened
	Broken     int           `json:"broken"`      // of these: not ended by the client
	Messages   int           `json:"messages"`    // that came back
	Wrong      int           `json:"wrong_bytes"` // messages that came back as others, and uploads of another hash
	Uploads    int           `json:"uploads"`     // that were ended by the client
	Sent       int64         `json:"upload_bytes"`
	UploadsBad int           `json:"uploads_failed"` // broken off, or not answered
	Stall      time.Duration `json:"stall_ns"`       // the longest time that a message took to come back
	Errors     []string      `json:"errors,omitempty"`
}

// Lost is how many of them did not get what they were due.
func (r CrowdReport) Lost() int { return r.Failed + r.Broken + r.Wrong + r.UploadsBad }

// Crowd is a set of clients that hold on to their connections, as browsers do: what a planned
// switch must not break. It is made by [NewCrowd] and runs once. Report may be called from any
// goroutine.
type Crowd struct {
	cfg CrowdConfig

	mu     sync.Mutex // protects report
	report CrowdReport
}

// NewCrowd checks cfg and returns a crowd that has not begun.
func NewCrowd(cfg CrowdConfig) (*Crowd, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	return &Crowd{cfg: cfg}, nil
}

// Run has the clients at work until ctx ends; then each finishes what it is at, and Run
// returns with every connection closed.
func (c *Crowd) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range c.cfg.Slow {
		wg.Go(func() {
			c.pauseFirst(ctx, c.cfg.SlowTime, i, c.cfg.Slow)
			c.askOn(ctx, fmt.Sprintf("/slow?ms=%d", c.cfg.SlowTime.Milliseconds()), 0)
		})
	}
	for range c.cfg.Keep {
		wg.Go(func() { c.askOn(ctx, "/", c.cfg.KeepPause) })
	}
	for i := range c.cfg.Streams {
		wg.Go(func() { c.streamOn(ctx, i) })
	}
	for range c.cfg.Uploads {
		wg.Go(func() { c.uploadOn(ctx) })
	}
	wg.Wait()
}

// Report returns what has become of the connections so far.
func (c *Crowd) Report() CrowdReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	r.Errors = append([]string(nil), r.Errors...)
	return r
}

// errorsMax is how many errors a report keeps.
const errorsMax = 10

// note changes the report; what is an error is kept, too.
func (c *Crowd) note(err error, change func(r *CrowdReport)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.report)
	if err != nil && len(c.report.Errors) < errorsMax {
		c.report.Errors = append(c.report.Errors, err.Error())
	}
}

// pauseFirst spreads the beginnings of n clients over a time, so that they do not go in step.
func (c *Crowd) pauseFirst(ctx context.Context, over time.Duration, i, n int) {
	pause(ctx, over*time.Duration(i)/time.Duration(n))
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
