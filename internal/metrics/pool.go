package metrics

import (
	"github.com/tandem-lb/tandem/internal/api"
)

var backendStates = []string{"up", "down", "drain", "maint"}

// poolFamilies count since the proxy that serves was started.
var poolFamilies = []family{
	{
		"tandem_pool_backends", gauge, "Backends of a pool by state.", labels("pool", "state"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, p := range s.Pools {
				n := make(map[string]int)
				for _, b := range p.Backends {
					n[b.State]++
				}
				for _, state := range backendStates {
					add(float64(n[state]), p.Name, state)
				}
			}
		},
	},
	{
		"tandem_pool_requests_total", counter, "Requests given to a pool; each may need several attempts.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.Requests) }),
	},
	{
		"tandem_pool_responses_total", counter, "Responses of a pool's backends by class of status, those that are gone included.", labels("pool", "class"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, p := range s.Pools {
				eachKey(p.Status, add, p.Name)
			}
		},
	},
	{
		"tandem_pool_no_backend_total", counter, "Requests for which no backend of the pool was up.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.NoBackend) }),
	},
	{
		"tandem_pool_queue_waiting", gauge, "Requests that wait for room on a backend (maxconn).", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.Waiting) }),
	},
	{
		"tandem_pool_queued_total", counter, "Requests that had to wait for room on a backend.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.Queued) }),
	},
	{
		"tandem_pool_queue_refused_total", counter, "Requests answered 503 by reason: full (the queue), timeout (waited too long).", labels("pool", "reason"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, p := range s.Pools {
				eachKey(p.Queue, add, p.Name)
			}
		},
	},
	{
		"tandem_pool_sticky_total", counter, "Requests of a pool with sticky sessions by their cookie: kept (went to its backend), lost (that is gone or not well, or the cookie is forged), new (no cookie).", labels("pool", "result"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, p := range s.Pools {
				eachKey(p.Sticky, add, p.Name)
			}
		},
	},
	{
		"tandem_pool_panic", gauge, "1 while so few backends are up that all are given requests (panic_threshold).", labels("pool"),
		eachPool(func(p api.Pool) float64 { return truth(p.Panic) }),
	},
	{
		"tandem_pool_on_backups", gauge, "1 while only backups are up.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return truth(p.OnBackup) }),
	},
	{
		"tandem_pool_retries_total", counter, "Attempts beyond the first.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.Retries) }),
	},
	{
		"tandem_pool_retries_refused_total", counter, "Requests that were not sent again, since the retry budget was spent.", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.RetriesRefused) }),
	},
	{
		"tandem_pool_ejections_refused_total", counter, "Times that a backend was not ejected, since too many were (max_ejected).", labels("pool"),
		eachPool(func(p api.Pool) float64 { return float64(p.EjectionsRefused) }),
	},
	{
		"tandem_backends_left_out", gauge, "Backends beyond the first 1000, which have no series of their own.", nil,
		func(s *api.Status, add func(float64, ...string)) {
			n := 0
			for _, p := range s.Pools {
				n += len(p.Backends)
			}
			add(float64(max(0, n-MaxBackends)))
		},
	},
	{
		"tandem_backend_up", gauge, "1 when a backend is given requests.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return truth(b.State == "up") }),
	},
	{
		"tandem_backend_ejected", gauge, "1 while a backend is ejected as an outlier.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return truth(!b.EjectedUntil.IsZero()) }),
	},
	{
		"tandem_backend_ejections_total", counter, "Times that a backend was ejected as an outlier.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Ejections) }),
	},
	{
		"tandem_backend_weight", gauge, "Weight of a backend.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Weight) }),
	},
	{
		"tandem_backend_requests_in_flight", gauge, "Requests that a backend works on now.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Current) }),
	},
	{
		"tandem_backend_connections", gauge, "Connections to a backend now, idle ones included.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Conns) }),
	},
	{
		"tandem_backend_connections_total", counter, "Connections made to a backend.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Connects) }),
	},
	{
		"tandem_backend_connections_reused_total", counter, "Requests that went over a connection that was there.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Reused) }),
	},
	{
		"tandem_backend_requests_total", counter, "Requests given to a backend, those included that another answered in the end.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Requests) }),
	},
	{
		"tandem_backend_responses_total", counter, "Responses of a backend by class of status.", labels("pool", "backend", "class"),
		eachBackendMap(func(b api.Backend) map[string]uint64 { return b.Status }),
	},
	{
		"tandem_backend_errors_total", counter, "What went wrong with a backend: connect, died (before an answer), response (malformed or cut off), timeout. Another may have answered.", labels("pool", "backend", "reason"),
		eachBackendMap(func(b api.Backend) map[string]uint64 { return b.ErrorsBy }),
	},
	{
		"tandem_backend_received_bytes_total", counter, "Bytes received from a backend.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.BytesIn) }),
	},
	{
		"tandem_backend_sent_bytes_total", counter, "Bytes sent to a backend.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.BytesOut) }),
	},
	{
		"tandem_backend_checks_total", counter, "Checks of a backend.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.Checks) }),
	},
	{
		"tandem_backend_bad_checks_total", counter, "Checks of a backend that failed, those included that did not take it down.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return float64(b.BadChecks) }),
	},
	{
		"tandem_backend_check_duration_seconds", gauge, "How long a backend's last check took.", labels("pool", "backend"),
		eachBackend(func(b api.Backend) float64 { return b.CheckTook.Seconds() }),
	},
	{
		"tandem_backend_check_age_seconds", gauge, "Since a backend's last check; those that were never checked are left out.", labels("pool", "backend"),
		func(s *api.Status, add func(float64, ...string)) {
			backends(s, func(pool string, b api.Backend) {
				if !b.CheckedAt.IsZero() {
					add(max(0, s.At.Sub(b.CheckedAt).Seconds()), pool, b.ID)
				}
			})
		},
	},
}

// backends calls with for each backend that has series of its own.
func backends(s *api.Status, with func(pool string, b api.Backend)) {
	n := 0
	for _, p := range s.Pools {
		for _, b := range p.Backends {
			if n++; n > MaxBackends {
				return
			}
			with(p.Name, b)
		}
	}
}

func eachBackend(value func(api.Backend) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		backends(s, func(pool string, b api.Backend) { add(value(b), pool, b.ID) })
	}
}

func eachBackendMap(value func(api.Backend) map[string]uint64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		backends(s, func(pool string, b api.Backend) { eachKey(value(b), add, pool, b.ID) })
	}
}

func eachPool(value func(api.Pool) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, p := range s.Pools {
			add(value(p), p.Name)
		}
	}
}
