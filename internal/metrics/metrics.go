package metrics

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandem-lb/tandem/internal/api"
)

const (
	maxScrapes    = 4                // answered at once; more are told to come again
	scrapeTimeout = 10 * time.Second // Prometheus' own default
)

// NewRegistry makes a registry of its own that shows what status returns when it is asked.
// status must be safe for use by many goroutines.
func NewRegistry(status func() api.Status) (*prometheus.Registry, error) {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(newCollector(status)); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return r, nil
}

// Handler answers scrapes, of which four may run at once.
func Handler(status func() api.Status) (http.Handler, error) {
	r, err := NewRegistry(status)
	if err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	}), nil
}

// Document is the list of all metrics, in Markdown.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Each balancer serves these at ` + "`/metrics`" + ` of its status address (port 1936 unless ` + "`[control] status`" + `
says otherwise), in the form of Prometheus. Scrape every balancer, not the VIP. What counts,
counts since its process was started, unless it says more. Alert rules that use them are in
[deploy/prometheus](../prometheus), a board is in [deploy/grafana](../grafana).

This list is written by ` + "`go test ./internal/metrics -update`" + `.

| metric | kind | labels | what it says |
|---|---|---|---|
`)
	for _, f := range families() {
		kind := map[prometheus.ValueType]string{gauge: "gauge", counter: "counter"}[f.kind]
		row(&b, f.name, kind, f.labels, f.help)
	}
	for _, l := range latencies {
		kind := "histogram"
		if !l.buckets {
			kind = "summary"
		}
		row(&b, l.name, kind, l.labels, l.help)
	}
	return b.String()
}

func row(b *strings.Builder, name, kind string, labels []string, help string) {
	var names []string
	for _, l := range labels {
		names = append(names, "`"+l+"`")
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(names, ", "), help)
}
