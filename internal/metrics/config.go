package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-lb/tandem/internal/api"
)

// configFamilies are about the configuration, and the files that are made from templates.
var configFamilies = []family{
	{
		"tandem_config_others", gauge, "Other balancers that are there with another configuration than this one; 0 where all have the same.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(len(s.Config.Others))) },
	},
	{
		"tandem_config_reloads_total", counter, "Reloads of the configuration since the control process started, by what came of them: loaded or refused.", labels("result"),
		func(s *api.Status, add func(float64, ...string)) {
			add(float64(s.Config.Loaded), "loaded")
			add(float64(s.Config.Refused), "refused")
		},
	},
	{
		"tandem_config_last_load_time_seconds", gauge, "When the configuration in effect was loaded, by a reload or at the start of control, since the epoch of Unix.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(unix(s.Config.Since)) },
	},
	perTemplate("tandem_template_changed_total", counter, "Times that the file of a template was written, since the control process started.", func(t *api.Template) float64 { return float64(t.Changed) }),
	perTemplate("tandem_template_failed_total", counter, "Times that it could not be written, or its check or reload failed.", func(t *api.Template) float64 { return float64(t.Failed) }),
	perTemplate("tandem_template_failing", gauge, "1 when the last attempt has failed: what stands in the file is older than the cluster.", func(t *api.Template) float64 { return truth(t.LastErr != "") }),
}

func perTemplate(name string, kind prometheus.ValueType, help string, value func(*api.Template) float64) family {
	return family{name, kind, help, labels("target"), func(s *api.Status, add func(float64, ...string)) {
		for i := range s.Templates {
			add(value(&s.Templates[i]), s.Templates[i].Target)
		}
	}}
}
