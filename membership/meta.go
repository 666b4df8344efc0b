package membership

import (
	"net/netip"
)

// MaxMeta is the largest encoded Meta in bytes. memberlist allows no more, and panics on more; SetMeta and Open refuse.
const MaxMeta = 512

// Role says what a member is.
type Role uint8

// The roles. The zero Role is invalid.
const (
	RoleBalancer Role = iota + 1 // tandem lb
	RoleAgent                    // tandem agent
)

// String returns balancer or agent.
func (r Role) String() string {
	switch r {
	case RoleBalancer:
		return "balancer"
	case RoleAgent:
		return "agent"
	}
	return "unknown"
}

// Meta is what a member says of itself. Encoded it has at most MaxMeta bytes. Texts are UTF-8 without control characters.
type Meta struct {
	Role       Role
	Pool       string            // agents: the pool that the app serves
	Addr       netip.AddrPort    // agents: where the app listens; zero while no app is announced (its check fails)
	Weight     int               // agents: 1 to 256, as in lbcore; 0 means the default, 100
	Drain      bool              // no new requests, please; those in flight are served to their end
	Version    string            // of the binary
	AdvertAddr netip.AddrPort    // balancers: where its keeper receives adverts
	Tags       map[string]string // the user's own
}
