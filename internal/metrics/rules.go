package metrics

import "github.com/tandem-lb/tandem/internal/api"

// ruleFamilies are of frontends with rules, and of the access log.
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
	{
		"tandem_rule_limited_total", counter, "Of them, those that were more than the rule's source_rate, and answered 429.", labels("frontend", "rule"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, f := range s.Frontends {
				for _, r := range f.Rules {
					add(float64(r.Limited), f.Name, r.Name)
				}
			}
		},
	},
	{
		"tandem_access_log_lines_total", counter, "Lines of the access log that were written.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.AccessLog.Lines)) },
	},
	{
		"tandem_access_log_lost_total", counter, "Lines that were not: the file or its reader is too slow, or cannot be written.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.AccessLog.Lost)) },
	},
}
