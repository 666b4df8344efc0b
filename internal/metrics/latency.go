package metrics

import (
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// Of the proxy's buckets, four in each doubling, one in each is shown, and none of those
// that are shorter or longer than anybody asks for. So a request is at most twice as fast as
// the bucket says.
const (
	shortest = 250 * time.Microsecond
	longest  = 20 * time.Second
)

// latencies tell how long requests took, since the proxy that serves was started.
var latencies = []latency{
	{
		"tandem_frontend_latency_seconds", "How long requests took, from their whole head until the last byte of their answer was on its way.", labels("frontend"), true,
		func(s *api.Status, add func(api.Histogram, ...string)) {
			for _, f := range s.Frontends {
				add(f.Latency, f.Name)
			}
		},
	},
	{
		"tandem_pool_latency_seconds", "How long backends took to begin their answer, a new connection included.", labels("pool"), true,
		func(s *api.Status, add func(api.Histogram, ...string)) {
			for _, p := range s.Pools {
				add(p.Latency, p.Name)
			}
		},
	},
	{
		"tandem_backend_latency_seconds", "How long a backend took to begin its answers, as their number and sum.", labels("pool", "backend"), false,
		func(s *api.Status, add func(api.Histogram, ...string)) {
			backends(s, func(pool string, b api.Backend) { add(b.Latency, pool, b.ID) })
		},
	},
}

// cumulated is h as Prometheus has it: how many requests took no longer than each bound, in
// seconds, and how many there were.
func cumulated(h api.Histogram, bounds []time.Duration) (n uint64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64)
	var last time.Duration
	for i, bound := range bounds {
		if j := i - h.From; j >= 0 && j < len(h.Counts) {
			n += h.Counts[j]
		}
		if bound >= shortest && bound <= longest && (last == 0 || bound >= 2*last) {
			buckets[bound.Seconds()] = n
			last = bound
		}
	}
	return h.Count(), buckets
}
