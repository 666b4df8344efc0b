package lbcore

import (
	"crypto/tls"
	"time"
)

// CheckKind is how a backend is asked whether it is well.
type CheckKind string

// The kinds of checks.
const (
	CheckTCP  CheckKind = "tcp"  // connects (the default)
	CheckHTTP CheckKind = "http" // connects, sends GET, reads the status
)

// CheckConfig is the active check of a pool. The zero value is a TCP check with
// the defaults.
type CheckConfig struct {
	Kind CheckKind
	// Path (default "/") and Host (default the backend's address) of an HTTP check.
	Path, Host string
	// StatusMin and StatusMax are the good statuses, inclusive (default 200 to 399).
	StatusMin, StatusMax int
	// Interval from the start of one check to the start of the next (default 1 s,
	// 10 ms to 1 h).
	Interval time.Duration
	// Timeout of one check (default 1 s, at most 1 min).
	Timeout time.Duration
	// Rise is how many good checks in a row bring a backend up that was down
	// (default 2). A new backend needs one.
	Rise int
	// Fall is how many bad ones in a row take it down (default 3). A failed
	// connection attempt of a request counts as one.
	Fall int
	// Checker replaces Kind by an own check, if not nil.
	Checker Checker

	tls *tls.Config // of the pool, for the backend that is checked
}

func (c CheckConfig) withDefaults(bad func(string, ...any)) CheckConfig {
	if c.Kind == "" {
		c.Kind = CheckTCP
	}
	if c.Kind != CheckTCP && c.Kind != CheckHTTP {
		bad("check kind %q: want %q or %q", c.Kind, CheckTCP, CheckHTTP)
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.Path[0] != '/' || !visible(c.Path) || !visible(c.Host) {
		bad("check of path %q, host %q: want visible ASCII, and a path that begins with /", c.Path, c.Host)
	}
	if c.StatusMin == 0 && c.StatusMax == 0 {
		c.StatusMin, c.StatusMax = 200, 399
	}
	if c.StatusMin < 100 || c.StatusMax > 599 || c.StatusMin > c.StatusMax {
		bad("check status %d to %d: want a range within 100 to 599", c.StatusMin, c.StatusMax)
	}
	orDefault(&c.Interval, time.Second)
	orDefault(&c.Timeout, time.Second)
	if c.Interval < 10*time.Millisecond || c.Interval > time.Hour {
		bad("check interval %v: want 10ms to 1h", c.Interval)
	}
	if c.Timeout < time.Millisecond || c.Timeout > time.Minute {
		bad("check timeout %v: want 1ms to 1m", c.Timeout)
	}
	if c.Rise == 0 {
		c.Rise = 2
	}
	if c.Fall == 0 {
		c.Fall = 3
	}
	if min(c.Rise, c.Fall) < 1 || max(c.Rise, c.Fall) > 100 {
		bad("check rise %d, fall %d: want 1 to 100", c.Rise, c.Fall)
	}
	return c
}
