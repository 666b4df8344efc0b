package client

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// defaultInterval is the pace of a load that is not told one.
const defaultInterval = 2 * time.Millisecond

// Config of a [Load]. Only Target is required.
type Config struct {
	Target     netip.AddrPort // whom to ask
	Host       string         // Host header; default Target's address
	Path       string         // default "/"
	NameHeader string         // answer's header that names the app; default "X-Served-By"

	Interval time.Duration // between two requests; default 2 ms, 100 µs at least
	Timeout  time.Duration // of one request, from its Start; default 1 s
	MaxOpen  int           // connections open at once; default 1024

	// Enter runs fn on a thread inside the client's network namespace and
	// returns its error (lab's Host.Do). Default: run it here.
	Enter func(fn func() error) error
}

func (c Config) checked() (Config, error) {
	if !c.Target.IsValid() || !c.Target.Addr().Is4() {
		return c, fmt.Errorf("client: target %v: want an IPv4 address and port", c.Target)
	}
	if c.Host == "" {
		c.Host = c.Target.Addr().String()
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.NameHeader == "" {
		c.NameHeader = "X-Served-By"
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = 1024
	}
	if c.Interval < 100*time.Microsecond || c.Timeout < 0 || c.MaxOpen < 0 {
		return c, errors.New("client: interval under 100 µs, or a negative timeout or bound")
	}
	if c.Enter == nil {
		c.Enter = func(fn func() error) error { return fn() }
	}
	return c, nil
}
