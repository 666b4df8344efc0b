package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
)

// maxOrder bounds the body of an order about the cluster, in bytes.
const maxOrder = 64 << 10

// KeyOrder is what to do with the gossip keys of the whole cluster. A key goes in with "add" and never comes out again:
// afterwards it is named by its fingerprint.
type KeyOrder struct {
	Do          string `json:"do"`                    // list, add, use or remove
	Key         []byte `json:"key,omitempty"`         // add: 16, 24 or 32 bytes, in base64
	Fingerprint string `json:"fingerprint,omitempty"` // use and remove: 16 hexadecimal digits
}

// Keys says who holds which gossip keys after an order, also after one that failed or did not reach all.
type Keys struct {
	Added   string      `json:"added,omitempty"` // the fingerprint of the key that was to be added
	Holders []KeyHolder `json:"holders"`
	Failed  []string    `json:"failed,omitempty"` // members that are not there, and were not asked
	Error   string      `json:"error,omitempty"`  // why the order was refused, or who did not carry it out
}

// KeyHolder is what one member says of its gossip keys.
type KeyHolder struct {
	Name  string         `json:"name"`
	Addr  netip.AddrPort `json:"addr"`
	Keys  []string       `json:"keys"` // fingerprints; the first one encrypts
	Kept  bool           `json:"kept"` // after a restart it has these keys; else those of its key file
	Error string         `json:"error,omitempty"`
}

// Event is a user's event for every member of the cluster.
type Event struct {
	Name    string `json:"name"`              // 1 to 64 letters, digits, dots, underscores and dashes
	Payload []byte `json:"payload,omitempty"` // at most 8 KiB, in base64
}

// Keys carries out an order about the gossip keys.
func (c *Client) Keys(ctx context.Context, order KeyOrder) (Keys, error) {
	var k Keys
	return k, c.send(ctx, "/v1/keys", order, &k)
}

// Join tries to find other members at seeds, once.
func (c *Client) Join(ctx context.Context, seeds []string) (Done, error) {
	var d Done
	return d, c.send(ctx, "/v1/join", seeds, &d)
}

// Event tells every member of e, and returns when each has it.
func (c *Client) Event(ctx context.Context, e Event) (Done, error) {
	var d Done
	return d, c.send(ctx, "/v1/event", e, &d)
}

// takeOrder makes a handler of what takes a body.
func takeOrder[T, A any](order func(context.Context, T) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
		var arg T
		if err == nil {
			err = json.Unmarshal(body, &arg)
		}
		if err != nil {
			reply(w, http.StatusBadRequest, &Error{
				Message: fmt.Sprintf("the body of %s is not what is expected there", r.URL.Path),
				Remedy:  "a newer or older tandem command may be talking to this balancer",
			})
			return
		}
		replyTo(w, r, func(ctx context.Context) (A, error) { return order(ctx, arg) })
	}
}
