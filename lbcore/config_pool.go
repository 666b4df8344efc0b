package lbcore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PoolConfig is a named set of backends with one policy and one check.
type PoolConfig struct {
	// Name identifies the pool across SetPools.
	Name string
	// Policy is "roundrobin" (smooth weighted; the default), "leastconn", "random" (the
	// better of two) or "hash" (the same backend for the same key).
	Policy   string
	Hash     HashConfig // of the policy "hash"
	Check    CheckConfig
	Timeouts PoolTimeouts
	// Sticky has clients come back to the backend that answered them; nil: they do not.
	Sticky *StickyConfig
	// SlowStart is how long the weight of a backend that came up grows evenly, from 1, up
	// to 1 h. 0 means not at all. The policy "hash" does not heed it.
	SlowStart time.Duration
	// MaxConn bounds the requests that a backend has under way, on all loops together, up
	// to MaxMaxConn; tunnels count as long as they last. 0 means no bound.
	MaxConn int
	// Queue bounds the requests that wait, on all loops together, while every backend has
	// MaxConn; 0 to MaxQueue; nil means DefaultQueue. What finds no place is answered with 503.
	Queue *int
	// QueueTimeout is how long one waits (default 5 s, 10 ms to 10 min); then 503.
	QueueTimeout time.Duration
	// PanicThreshold is the share in percent, up to 100, of backends that must be up:
	// while it is fewer, all are given requests, whatever their checks say. 0 means that
	// only those that are up ever are.
	PanicThreshold int
	// Retries bounds how often one request is sent again, 0 to 10.
	// nil means DefaultRetries.
	Retries *int
	// RetryBudget bounds retries over all requests; nil: only Retries does.
	RetryBudget *RetryBudget
	// Outlier ejects backends that fail requests.
	Outlier OutlierConfig
	// SendProxy has each connection to a backend begin with a header of the PROXY
	// protocol of this version, 1 or 2, and serve one request or TCP connection. 0:
	// none.
	SendProxy int
	// Protocol is ProtocolHTTP1 (the default) or ProtocolHTTP2, which gRPC needs. Without TLS that is spoken
	// without being asked for (prior knowledge).
	Protocol Protocol
	// TLS is what backends speak; nil: nothing. Checks speak it too.
	TLS *BackendTLS
	// MaxIdle bounds the idle connections kept per loop and backend, 1 to
	// 10,000. 0 means 1000.
	MaxIdle int

	hashHeader string // Hash.Header in lower case
}

// PoolTimeouts bound the phases of a backend connection. Zero means the default.
type PoolTimeouts struct {
	// Connect bounds the TCP handshake (default 1 s). A request that may be
	// repeated is also moved elsewhere when its bytes go unacknowledged for so
	// long, as those sent to a host without power do.
	Connect time.Duration
	// Server bounds the wait for the head of the answer, and each later wait for
	// more of its body (default 30 s); then 504, or a cut answer.
	Server time.Duration
	// Idle is how long an unused connection is kept (default 4 s: less than
	// the 5 s after which Node's HTTP server closes, so that we close first).
	Idle time.Duration
}

func (c PoolConfig) withDefaults() (PoolConfig, error) {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("pool %q: "+format, append([]any{c.Name}, a...)...))
	}
	if c.Name == "" {
		bad("has no name")
	}
	if c.Policy == "" {
		c.Policy = "roundrobin"
	}
	if !slices.Contains(policyNames, c.Policy) {
		bad("policy %q: want one of %q", c.Policy, policyNames)
	}
	c.checkHash(bad)
	c.hashHeader = strings.ToLower(c.Hash.Header)
	if c.Retries == nil {
		n := DefaultRetries
		c.Retries = &n
	}
	if *c.Retries < 0 || *c.Retries > 10 {
		bad("retries %d: want 0 to 10", *c.Retries)
	}
	if c.MaxIdle == 0 {
		c.MaxIdle = 1000
	}
	if c.MaxIdle < 1 || c.MaxIdle > 10_000 {
		bad("maxidle %d: want 1 to 10000", c.MaxIdle)
	}
	c.checkMaxConn(bad)
	c.Outlier.check(bad)
	if c.RetryBudget != nil {
		c.RetryBudget.check(bad)
	}
	if c.Sticky != nil {
		s := *c.Sticky
		s.check(bad)
		s.SameSite = cmp.Or(s.SameSite, "Lax")
		c.Sticky = &s
	}
	if c.SlowStart < 0 || c.SlowStart > time.Hour {
		bad("slow start of %v: want 0 to 1h", c.SlowStart)
	}
	if c.PanicThreshold < 0 || c.PanicThreshold > 100 {
		bad("panic threshold of %d percent: want 0 to 100", c.PanicThreshold)
	}
	if c.SendProxy < 0 || c.SendProxy > 2 {
		bad("PROXY protocol of version %d: want 1 or 2, or 0 for none", c.SendProxy)
	}
	if c.TLS != nil {
		c.TLS.check(bad)
	}
	c.checkProtocol(bad)
	t := &c.Timeouts
	orDefault(&t.Connect, time.Second)
	orDefault(&t.Server, 30*time.Second)
	orDefault(&t.Idle, 4*time.Second)
	if min(t.Connect, t.Server, t.Idle) < 0 {
		bad("a timeout is negative: %+v", *t)
	}
	c.Check = c.Check.withDefaults(bad)
	return c, errors.Join(errs...)
}
