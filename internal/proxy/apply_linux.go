package proxy

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// This file alone translates between ipc's values and lbcore's.

func poolConfigs(pools []ipc.PoolPolicy) ([]lbcore.PoolConfig, error) {
	out := make([]lbcore.PoolConfig, 0, len(pools))
	for _, p := range pools {
		t, err := backendTLS(p.TLS)
		if err != nil {
			return nil, fmt.Errorf("pool %s: %w", p.Name, err)
		}
		checkTLS, err := backendTLS(p.Check.TLS)
		if err != nil {
			return nil, fmt.Errorf("check of pool %s: %w", p.Name, err)
		}
		out = append(out, lbcore.PoolConfig{
			SendProxy:   p.SendProxy,
			Protocol:    lbcore.Protocol(p.Protocol),
			TLS:         t,
			Name:        p.Name,
			Policy:      p.Policy,
			Hash:        lbcore.HashConfig{On: lbcore.HashOn(p.Hash.On), Header: p.Hash.Header, BalanceFactor: p.Hash.BalanceFactor},
			RetryBudget: (*lbcore.RetryBudget)(p.RetryBudget), Outlier: lbcore.OutlierConfig(p.Outlier),
			Sticky: stickyConfig(p.Sticky), SlowStart: p.SlowStart, PanicThreshold: p.PanicThreshold,
			MaxConn: p.MaxConn, Queue: new(p.Queue), QueueTimeout: p.QueueTimeout,
			Timeouts: lbcore.PoolTimeouts{Connect: p.ConnectTimeout, Server: p.ServerTimeout, Idle: p.IdleTimeout},
			Retries:  new(p.Retries),
			MaxIdle:  p.MaxIdle,
			Check: lbcore.CheckConfig{
				Question: p.Check.Question, TLS: checkTLS, Plain: p.Check.Plain,
				Interval: p.Check.Interval, Jitter: p.Check.Jitter, Timeout: p.Check.Timeout, Rise: p.Check.Rise, Fall: p.Check.Fall,
			},
		})
	}
	return out, nil
}

// frontendConfigs joins each frontend with its listening sockets, loops of them.
func frontendConfigs(frontends []ipc.Frontend, listeners []int, loops int) ([]lbcore.FrontendConfig, error) {
	out := make([]lbcore.FrontendConfig, 0, len(frontends))
	for i, f := range frontends {
		t, err := tlsConfig(f.TLS)
		if err != nil {
			return nil, fmt.Errorf("frontend %s: %w", f.Name, err)
		}
		out = append(out, lbcore.FrontendConfig{
			Name:      f.Name,
			Pool:      f.Pool,
			Listeners: listeners[i*loops : (i+1)*loops],
			Limits:    lbcore.Limits{Head: f.MaxHead, Body: f.MaxBody, MinRate: minRate(f.MinRate)},
			Timeouts: lbcore.FrontendTimeouts{
				Handshake: handshakeTimeout(f.TLS), Header: f.HeaderTimeout, Idle: f.IdleTimeout, Client: f.ClientTimeout, HalfClose: f.HalfClose, Tunnel: f.TunnelTimeout,
			},
			Forwarded: f.Forwarded,
			Trusted:   f.Trusted,
			Via:       f.Via,
			Mode:      lbcore.Mode(f.Mode), SNI: sniRoutes(f.SNI), AcceptProxy: f.AcceptProxy,
			HTTP2: http2Config(f.HTTP2),
			TLS:   t, RedirectHTTPS: f.RedirectHTTPS, ResponseHeaders: f.ResponseHeaders, Rules: f.Rules,
			AccessLog: lbcore.AccessLog{Format: lbcore.LogFormat(f.LogFormat), Sample: f.LogSample}, ErrorPages: errorPages(f.ErrorPages),
			MaxConn: f.MaxConn,
			Sources: lbcore.SourceLimits{
				Allow: f.Sources.Allow, Deny: f.Sources.Deny, Rate: f.Sources.Rate, MaxConn: f.Sources.MaxConn,
				Prefix6: f.Sources.Prefix6, Remembered: f.Sources.Table,
			},
		})
	}
	return out, nil
}

func errorPages(pages []ipc.ErrorPage) map[int]lbcore.ErrorPage {
	if len(pages) == 0 {
		return nil
	}
	out := make(map[int]lbcore.ErrorPage, len(pages))
	for _, p := range pages {
		out[p.Status] = lbcore.ErrorPage{Type: p.Type, Body: p.Body}
	}
	return out
}

// minRate: lbcore's 0 is its default.
func minRate(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func backendConfigs(backends []ipc.Backend) []lbcore.BackendConfig {
	out := make([]lbcore.BackendConfig, 0, len(backends))
	for _, b := range backends {
		out = append(out, lbcore.BackendConfig{ID: b.ID, Addr: b.Addr, Weight: b.Weight, Drain: b.Drain, Backup: b.Backup, MaxConn: b.MaxConn})
	}
	return out
}

// state turns a snapshot into what control shows.
func state(s lbcore.Snapshot) *ipc.ProxyState {
	out := &ipc.ProxyState{LatencyBounds: latencyBounds, LogLines: s.AccessLog.Lines, LogLost: s.AccessLog.Lost}
	for _, f := range s.Frontends {
		c := f.Counters
		var rules []ipc.RuleState
		for _, r := range f.Rules {
			rules = append(rules, ipc.RuleState(r))
		}
		out.Frontends = append(out.Frontends, ipc.FrontendState{
			Name: f.Name, Connections: c.Accepted, Current: c.Current, Requests: c.Requests,
			BytesIn: c.BytesIn, BytesOut: c.BytesOut, Status: classes(c.Responses),
			Tunnels: c.Tunnels, Retries: c.Retries,
			Errors: map[string]uint64{
				"bad_request": c.Errors.BadRequest, "max_body_bytes": c.Errors.LargeBody, "no_rule": c.Errors.NoRule, "no_backend": c.Errors.NoBackend, "bad_gateway": c.Errors.BadGateway,
				"timeout": c.Errors.Timeout, "client_timeout": c.Errors.HeaderTime, "aborted": c.Errors.Aborted, "cut": c.Errors.Cut,
				"bad_proxy_header": c.Errors.BadProxy, "bad_tls_greeting": c.Errors.BadHello,
				"queue_full": c.Errors.QueueFull, "queue_timeout": c.Errors.QueueTime,
				"source_denied": c.Errors.SourceDenied, "source_rate": c.Errors.SourceRate, "source_maxconn": c.Errors.SourceConns, "maxconn": c.Errors.Full,
			},
			Latency: histogram(&c.Latency), TLS: tlsState(c.TLS), HTTP2: http2State(c.HTTP2), Rules: rules,
		})
	}
	for _, p := range s.Pools {
		ps := ipc.PoolState{
			Name: p.Name, Policy: p.Policy, OnBackup: p.OnBackup, Panic: p.Panic,
			Waiting: p.Waiting, Queued: p.Counters.Queued, Queue: map[string]uint64{"full": p.Counters.QueueFull, "timeout": p.Counters.QueueTimeout},
			Sticky:         stickyCounts(p.Counters.Sticky),
			RetriesRefused: p.Counters.RetriesRefused, EjectionsRefused: p.Counters.EjectionsRefused,
			Requests: p.Counters.Requests, Status: classes(p.Counters.Responses),
			NoBackend: p.Counters.NoBackend, Retries: p.Counters.Retries, Latency: histogram(&p.Counters.Latency),
		}
		for _, b := range p.Backends {
			if b.State != lbcore.StateDrain { // nobody wants it to be given requests
				out.Total++
			}
			if b.State == lbcore.StateUp {
				out.Up++
			}
			c, e := b.Counters, b.Counters.Errors
			ps.Backends = append(ps.Backends, ipc.BackendState{
				ID: b.ID, Addr: b.Addr, State: string(b.State), Since: b.Since, Reason: b.Reason, Weight: b.Weight,
				Share: share(b), Backup: b.Backup, MaxConn: b.MaxConn, EjectedUntil: b.EjectedUntil, Ejections: b.Ejections,
				Current: c.Current, Requests: c.Requests, Status: classes(c.Responses),
				Errors:   e.Connect + e.Died + e.Response + e.Timeout,
				ErrorsBy: map[string]uint64{"connect": e.Connect, "died": e.Died, "response": e.Response, "timeout": e.Timeout},
				Conns:    c.Conns, Connects: c.Connects, Reused: c.Reused, BytesIn: c.BytesIn, BytesOut: c.BytesOut,
				CheckedAt: b.CheckedAt, CheckTook: b.CheckTook, Checks: b.Checks, BadChecks: b.BadChecks, LastError: b.LastError, LastAt: b.LastErrorAt,
				Latency: histogram(&c.Latency),
			})
		}
		out.Pools = append(out.Pools, ps)
	}
	return out
}

// share is 0 where the weight holds as it is.
func share(b lbcore.BackendSnapshot) int {
	if b.State != lbcore.StateUp || b.Share == b.Weight {
		return 0
	}
	return b.Share
}

// classes counts responses by the first digit of their status.
func classes(n [6]uint64) map[string]uint64 {
	return map[string]uint64{"1xx": n[1], "2xx": n[2], "3xx": n[3], "4xx": n[4], "5xx": n[5]}
}

// latencyBounds are those of every histogram: none for the last bucket.
var latencyBounds = func() (bounds []time.Duration) {
	for i := range lbcore.HistogramBuckets - 1 {
		bounds = append(bounds, lbcore.HistogramBound(i))
	}
	return bounds
}()

// histogram leaves the empty buckets at both ends out.
func histogram(h *lbcore.Histogram) ipc.Histogram {
	from, to := 0, len(h.Counts)
	for from < to && h.Counts[from] == 0 {
		from++
	}
	for to > from && h.Counts[to-1] == 0 {
		to--
	}
	if from == to {
		return ipc.Histogram{}
	}
	return ipc.Histogram{From: from, Counts: slices.Clone(h.Counts[from:to]), Sum: h.Sum}
}
