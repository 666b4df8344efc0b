package metrics

import "github.com/tandem-lb/tandem/internal/api"

// ruleFamilies are of frontends with rules.
var ruleFamilies = []family{
	{
		"tandem_rule_requests_total", counter, "Requests that met a rule, since the proxy that serves got to know it.", labels("frontend", "rule"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, f := range s.Frontends {
				for _, r := range f.Rules {
					add(float64(r.Requests), f.Name, r.Name)
				}
			}
		},
	},
}
