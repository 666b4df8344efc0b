package metrics

import (
	"maps"
	"slices"

	"github.com/tandem-lb/tandem/internal/api"
)

// frontendFamilies count since the proxy that serves was started.
var frontendFamilies = []family{
	{
		"tandem_frontend_connections", gauge, "Connections of clients now.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.Current) }),
	},
	{
		"tandem_frontend_tunnels", gauge, "Those of them that were upgraded to another protocol, as WebSockets are.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.Tunnels) }),
	},
	{
		"tandem_frontend_connections_total", counter, "Connections accepted.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.Connections) }),
	},
	{
		"tandem_frontend_requests_total", counter, "Requests.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.Requests) }),
	},
	{
		"tandem_frontend_responses_total", counter, "Responses by class of status, those that the proxy gave itself included.", labels("frontend", "class"),
		eachFrontendMap(func(f api.Frontend) map[string]uint64 { return f.Status }),
	},
	{
		"tandem_frontend_errors_total", counter, "What went wrong: bad_request, no_rule (404), no_backend (503), queue_full and queue_timeout (503), bad_gateway (502), timeout (504), client_timeout, aborted (by the client), cut (an answer that had begun), source_denied (403), source_rate and source_maxconn (429, or a reset), max_body_bytes (413), maxconn (times that it was reached, and clients waited).", labels("frontend", "reason"),
		eachFrontendMap(func(f api.Frontend) map[string]uint64 { return f.Errors }),
	},
	{
		"tandem_frontend_retries_total", counter, "Requests that were sent again, to another backend.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.Retries) }),
	},
	{
		"tandem_frontend_received_bytes_total", counter, "Bytes received from clients.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.BytesIn) }),
	},
	{
		"tandem_frontend_sent_bytes_total", counter, "Bytes sent to clients.", labels("frontend"),
		eachFrontend(func(f api.Frontend) float64 { return float64(f.BytesOut) }),
	},
}

func eachFrontend(value func(api.Frontend) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, f := range s.Frontends {
			add(value(f), f.Name)
		}
	}
}

func eachFrontendMap(value func(api.Frontend) map[string]uint64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, f := range s.Frontends {
			eachKey(value(f), add, f.Name)
		}
	}
}

// eachKey adds a series for each key, in order.
func eachKey(counts map[string]uint64, add func(float64, ...string), names ...string) {
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		add(float64(counts[key]), append(slices.Clone(names), key)...)
	}
}
