package metrics

import "github.com/tandem-lb/tandem/internal/api"

// http2Families are of frontends whose clients speak HTTP/2.
var http2Families = []family{
	{
		"tandem_http2_connections", gauge, "Connections of clients that speak HTTP/2, now.", labels("frontend"),
		eachHTTP2(func(h *api.HTTP2, add func(float64, ...string), name string) { add(float64(h.Current), name) }),
	},
	{
		"tandem_http2_connections_total", counter, "Connections of clients that spoke HTTP/2.", labels("frontend"),
		eachHTTP2(func(h *api.HTTP2, add func(float64, ...string), name string) { add(float64(h.Connections), name) }),
	},
	{
		"tandem_http2_streams_total", counter, "Streams that clients have opened: their requests.", labels("frontend"),
		eachHTTP2(func(h *api.HTTP2, add func(float64, ...string), name string) { add(float64(h.Streams), name) }),
	},
	{
		"tandem_http2_resets_total", counter, "Streams that were given up before their end: client (by the client), refused (beyond max_concurrent_streams), own (malformed, cut off by the backend, or answered before the request's end).", labels("frontend", "reason"),
		eachHTTP2(func(h *api.HTTP2, add func(float64, ...string), name string) { eachKey(h.Resets, add, name) }),
	},
	{
		"tandem_http2_goaways_total", counter, "Connections that the balancer has ended: leaving (a drain, or long idle), protocol (the client broke the rules), flood_resets, flood_frames, flood_headers (the client cost too much).", labels("frontend", "reason"),
		eachHTTP2(func(h *api.HTTP2, add func(float64, ...string), name string) { eachKey(h.GoAways, add, name) }),
	},
}

func eachHTTP2(each func(h *api.HTTP2, add func(float64, ...string), name string)) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, f := range s.Frontends {
			if f.HTTP2 != nil {
				each(f.HTTP2, add, f.Name)
			}
		}
	}
}
