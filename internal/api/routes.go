package api

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// Routes are the rules of one frontend that are in effect.
type Routes struct {
	Frontend string       `json:"frontend"`
	Listen   string       `json:"listen"` // as in ":80"
	TLS      bool         `json:"tls"`
	Pool     string       `json:"pool,omitempty"`  // of what meets no rule; empty: it is answered with 404
	HTTPS    int          `json:"https,omitempty"` // port; not 0: every request is redirected there
	Rules    []route.Rule `json:"rules"`           // in their order

	Allow []netip.Prefix `json:"allow,omitempty"` // clients that are let in; none: all are
	Deny  []netip.Prefix `json:"deny,omitempty"`  // clients that are not, even where Allow names them
}

// Routes asks for the rules of all frontends that speak HTTP.
func (c *Client) Routes(ctx context.Context) ([]Routes, error) {
	var r []Routes
	return r, c.get(ctx, "/v1/routes", &r)
}

func (s *Server) routesRoute(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/routes", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, s.Routes())
	})
}
