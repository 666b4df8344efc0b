package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-lb/tandem/internal/api"
)

// hookFamilies are about the programs that events start.
var hookFamilies = []family{
	perHook("tandem_hook_runs_total", counter, "Programs of a hook that have ended.", func(h *api.Hook) float64 { return float64(h.Runs) }),
	perHook("tandem_hook_failed_total", counter, "Programs of a hook that have failed, timed-out ones included.", func(h *api.Hook) float64 { return float64(h.Failed) }),
	perHook("tandem_hook_timed_out_total", counter, "Programs of a hook that were killed after its timeout.", func(h *api.Hook) float64 { return float64(h.TimedOut) }),
	perHook("tandem_hook_dropped_total", counter, "Events that a hook lost, since its queue was full.", func(h *api.Hook) float64 { return float64(h.Dropped) }),
	perHook("tandem_hook_waiting", gauge, "Events that wait for a hook.", func(h *api.Hook) float64 { return float64(h.Waiting) }),
	perHook("tandem_hook_running", gauge, "Programs of a hook that run.", func(h *api.Hook) float64 { return float64(h.Running) }),
}

func perHook(name string, kind prometheus.ValueType, help string, value func(*api.Hook) float64) family {
	return family{name, kind, help, labels("hook"), func(s *api.Status, add func(float64, ...string)) {
		for i := range s.Hooks {
			add(value(&s.Hooks[i]), s.Hooks[i].Name)
		}
	}}
}
