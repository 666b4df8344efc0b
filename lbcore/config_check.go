package lbcore

import (
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// CheckConfig is the active check of a pool. The zero value asks for a TCP connection, with
// the defaults.
type CheckConfig struct {
	// Question is what a backend is asked, and which answer is good.
	check.Question
	// TLS is what the check speaks; nil: what the pool does. Plain has it speak none, whatever
	// the pool does.
	TLS   *BackendTLS
	Plain bool
	// Interval from the start of one check to the start of the next (default 1 s,
	// 10 ms to 1 h).
	Interval time.Duration
	// Jitter is the percentage of Interval by which each pause is longer or shorter at random,
	// 0 to 100. Unless it is 0, the second check comes anywhere within Interval.
	Jitter int
	// Timeout of one check (default 1 s, at most 1 min).
	Timeout time.Duration
	// Rise is how many good checks in a row bring a backend up that was down
	// (default 2). A new backend needs one.
	Rise int
	// Fall is how many bad ones in a row take it down (default 3). A failed
	// connection attempt of a request counts as one.
	Fall int
	// Checker replaces Question by an own check, if not nil.
	Checker Checker

	asker *check.Asker
}

func (c CheckConfig) withDefaults(bad func(string, ...any)) CheckConfig {
	asker, err := check.New(c.Question)
	if err != nil {
		bad("%w", err)
	}
	c.asker, c.Question = asker, asker.Question()
	if c.TLS != nil {
		c.TLS.check(bad)
		if c.Plain {
			bad("check over TLS and without it: give up one of them")
		}
	}
	orDefault(&c.Interval, time.Second)
	orDefault(&c.Timeout, time.Second)
	if c.Interval < 10*time.Millisecond || c.Interval > time.Hour {
		bad("check interval %v: want 10ms to 1h", c.Interval)
	}
	if c.Jitter < 0 || c.Jitter > 100 {
		bad("check jitter %d percent: want 0 to 100", c.Jitter)
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
