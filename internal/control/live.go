package control

import (
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	// liveWindow is what rates and latencies "now" are measured over.
	liveWindow = 5 * time.Second
	// maxReports bounds the reports of a proxy that are kept for it. One comes each second, and
	// one more with each change of a backend; with many changes the window is shorter.
	maxReports = 16
)

// liveKey names a frontend, a pool, or a backend of one.
type liveKey struct{ pool, backend, frontend string }

type lives map[liveKey]*api.Live

// reports are those of one proxy that lie within liveWindow, oldest first.
type reports []timedReport

type timedReport struct {
	at time.Time
	s  *ipc.ProxyState
}

// add takes in a new report, and returns how everything in it has done since the oldest one.
func (r *reports) add(s *ipc.ProxyState, now time.Time) lives {
	*r = append(*r, timedReport{now, s})
	for len(*r) > 2 && (now.Sub((*r)[1].at) >= liveWindow || len(*r) > maxReports) {
		*r = (*r)[1:]
	}
	first := (*r)[0]
	if took := now.Sub(first.at); took > 0 {
		return between(first.s, s, took)
	}
	return nil
}

// tally is what rates are made of.
type tally struct {
	requests, errors, in, out uint64
	latency                   ipc.Histogram
	refused                   uint64
}

// between compares two reports of one proxy. What is new in the second one counted from 0.
func between(was, is *ipc.ProxyState, took time.Duration) lives {
	before, out := tallies(was), make(lives)
	for key, now := range tallies(is) {
		then := before[key]
		rate := func(was, is uint64) float64 {
			if is < was {
				return 0 // another app of the same name
			}
			return float64(is-was) / took.Seconds()
		}
		l := &api.Live{
			Window: took, Requests: rate(then.requests, now.requests), Errors: rate(then.errors, now.errors),
			Refused: rate(then.refused, now.refused), BytesIn: rate(then.in, now.in), BytesOut: rate(then.out, now.out),
		}
		h := api.Histogram(now.latency).Sub(api.Histogram(then.latency))
		l.P50, l.P95, l.P99 = h.Quantile(0.50, is.LatencyBounds), h.Quantile(0.95, is.LatencyBounds), h.Quantile(0.99, is.LatencyBounds)
		out[key] = l
	}
	return out
}

func tallies(s *ipc.ProxyState) map[liveKey]tally {
	out := make(map[liveKey]tally)
	for _, f := range s.Frontends {
		out[liveKey{frontend: f.Name}] = tally{f.Requests, f.Status["5xx"] + f.Errors["cut"], f.BytesIn, f.BytesOut, f.Latency, api.Refused(f.Errors)}
	}
	for _, p := range s.Pools {
		sum := tally{requests: p.Requests, errors: p.NoBackend, latency: p.Latency}
		for _, b := range p.Backends {
			one := tally{requests: b.Requests, errors: b.Errors, in: b.BytesIn, out: b.BytesOut, latency: b.Latency}
			sum.errors, sum.in, sum.out = sum.errors+one.errors, sum.in+one.in, sum.out+one.out
			out[liveKey{p.Name, b.ID, ""}] = one
		}
		out[liveKey{pool: p.Name}] = sum
	}
	return out
}
