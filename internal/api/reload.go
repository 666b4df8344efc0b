package api

import (
	"context"
	"net/http"
)

// Reload is what a reload has changed, or would change.
type Reload struct {
	Message string   `json:"message"`
	Changes []Change `json:"changes"`
}

// Change is one difference between the configuration in effect and the file.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	What string `json:"what"` // added, removed or changed
	Live bool   `json:"live"` // else it is refused: the balancer must be started anew for it
	Text string `json:"text"` // all of it, as a line for people
}

// Reload has the balancer called node, "" for the one that answers, load its configuration again.
// With dryRun it only says what would change. Refused or wrong, it changes nothing, and the error says why.
func (c *Client) Reload(ctx context.Context, node string, dryRun bool) (Reload, error) {
	path := "/v1/reload?" + ofNode(node)
	if dryRun {
		path += "&dry_run=1"
	}
	var r Reload
	return r, c.call(ctx, http.MethodPost, path, &r)
}

func (s *Server) reloadRoute(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) {
		replyTo(w, r, func(ctx context.Context) (Reload, error) {
			q := r.URL.Query()
			return s.Reload(ctx, q.Get("node"), q.Get("dry_run") == "1")
		})
	})
}
