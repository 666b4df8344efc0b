package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-lb/tandem/internal/api"
)

const (
	// MaxBackends bounds the backends of all pools that have series of their own.
	MaxBackends = 1000
	// StaleAfter is how long a report is believed: three heartbeats.
	StaleAfter = api.StaleAfter
)

// unknown is the state of whoever has not been heard of for StaleAfter.
const unknown = "unknown"

// family is one metric: a row of the tables in this package.
type family struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
	// emit adds one series for each combination of label values.
	emit func(s *api.Status, add func(v float64, labels ...string))
}

// latency is a family that tells how long requests took: how many took no longer than each
// of some bounds, or, without buckets, only their number and sum.
type latency struct {
	name    string
	help    string
	labels  []string
	buckets bool
	emit    func(s *api.Status, add func(h api.Histogram, labels ...string))
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

func labels(names ...string) []string { return names }

// families are all metrics, in the order of the document.
func families() []family {
	return slices.Concat(nodeFamilies, vipFamilies, electionFamilies, clusterFamilies, frontendFamilies, ruleFamilies, tlsFamilies, http2Families, poolFamilies, hookFamilies, configFamilies)
}

// collector turns a status into metrics.
type collector struct {
	status   func() api.Status
	families []family
	descs    []*prometheus.Desc // of families, and then of latencies
}

func newCollector(status func() api.Status) *collector {
	c := &collector{status: status, families: families()}
	for _, f := range c.families {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, nil))
	}
	for _, l := range latencies {
		c.descs = append(c.descs, prometheus.NewDesc(l.name, l.help, l.labels, nil))
	}
	return c
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	for i, f := range c.families {
		f.emit(&s, func(v float64, labels ...string) {
			m, err := prometheus.NewConstMetric(c.descs[i], f.kind, v, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(c.descs[i], err)
			}
			out <- m
		})
	}
	for i, l := range latencies {
		d := c.descs[len(c.families)+i]
		l.emit(&s, func(h api.Histogram, labels ...string) {
			var (
				m   prometheus.Metric
				err error
			)
			if l.buckets {
				n, buckets := cumulated(h, s.LatencyBounds)
				m, err = prometheus.NewConstHistogram(d, n, h.Sum.Seconds(), buckets, labels...)
			} else {
				m, err = prometheus.NewConstSummary(d, h.Count(), h.Sum.Seconds(), nil, labels...)
			}
			if err != nil {
				m = prometheus.NewInvalidMetric(d, err)
			}
			out <- m
		})
	}
}

// oneOf adds a series for each state, of which one is 1.
func oneOf(states []string, is string, add func(v float64, labels ...string), names ...string) {
	for _, state := range states {
		add(truth(state == is), append(slices.Clone(names), state)...)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// unix is t in the form that Prometheus expects, and 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}
