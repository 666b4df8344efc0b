package metrics

import "github.com/tandem-lb/tandem/internal/api"

// tlsFamilies are of frontends that speak TLS with their clients.
var tlsFamilies = []family{
	{
		"tandem_tls_handshakes_total", counter, "TLS handshakes with clients that succeeded.", labels("frontend"),
		eachTLS(func(t *api.TLS, add func(float64, ...string), name string) { add(float64(t.Handshakes), name) }),
	},
	{
		"tandem_tls_resumed_total", counter, "Those of them that resumed a session, by a ticket.", labels("frontend"),
		eachTLS(func(t *api.TLS, add func(float64, ...string), name string) { add(float64(t.Resumed), name) }),
	},
	{
		"tandem_tls_failures_total", counter, "TLS handshakes with clients that failed: timeout, gone (the client went away), not_tls, nothing_common (no version, cipher or protocol), unknown_name (strict_sni), client_certificate (none, or a bad one), refused (by the client, who may not trust the certificate), other.", labels("frontend", "reason"),
		eachTLS(func(t *api.TLS, add func(float64, ...string), name string) { eachKey(t.Failed, add, name) }),
	},
}

func eachTLS(each func(t *api.TLS, add func(float64, ...string), name string)) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, f := range s.Frontends {
			if f.TLS != nil {
				each(f.TLS, add, f.Name)
			}
		}
	}
}
