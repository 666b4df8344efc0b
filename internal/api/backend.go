package api

import (
	"context"
	"time"
)

// BackendOrder sets a backend's state or weight by hand, on all balancers, until it is undone.
type BackendOrder struct {
	// Backend is its ID or its address, or either after the pool's name and a slash.
	Backend string `json:"backend"`
	// State is drain (requests under way end, no new ones come), maint (the same, and it is
	// not checked) or ready (neither). Empty with a Weight.
	State string `json:"state,omitempty"`
	// Weight is its share of the requests, 1 to 256; 0 gives it back its own.
	Weight *int `json:"weight,omitempty"`
}

// ByHand is what operators have set of a backend.
type ByHand struct {
	State  string    `json:"state,omitempty"`  // drain or maint; empty: none
	Weight int       `json:"weight,omitempty"` // 0: none
	Who    string    `json:"who"`              // who gave the last word
	Node   string    `json:"node"`             // at which balancer
	At     time.Time `json:"at"`               // by its clock
}

// SetBackend carries out an order about a backend.
func (c *Client) SetBackend(ctx context.Context, o BackendOrder) (Done, error) {
	var d Done
	return d, c.send(ctx, "/v1/backend", o, &d)
}
