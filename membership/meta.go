package membership

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
)

// MaxMeta is the largest encoded Meta in bytes. memberlist allows no more and panics on more; SetMeta and Open refuse.
const MaxMeta = 512

// Bounds and default of Meta.Weight, the same as lbcore's.
const (
	MinWeight     = 1
	MaxWeight     = 256
	DefaultWeight = 100
)

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
	Weight     int               // agents: MinWeight to MaxWeight; 0 means DefaultWeight
	Drain      bool              // no new requests, please; those in flight are served to their end
	Version    string            // of the binary
	AdvertAddr netip.AddrPort    // balancers: where its keeper receives adverts
	Tags       map[string]string // the user's own
}

// Equal reports whether both say the same.
func (m Meta) Equal(o Meta) bool {
	return m.Role == o.Role && m.Pool == o.Pool && m.Addr == o.Addr && m.Weight == o.Weight && m.Drain == o.Drain &&
		m.Version == o.Version && m.AdvertAddr == o.AdvertAddr && maps.Equal(m.Tags, o.Tags)
}

// Validate returns what SetMeta would find wrong with m, ErrMetaTooLarge included.
func (m Meta) Validate() error {
	_, err := statement{meta: m.withDefaults(), seq: math.MaxUint64}.encode()
	return err
}

// withDefaults returns a copy that owns its Tags and has a weight where one is needed.
func (m Meta) withDefaults() Meta {
	if m.Role == RoleAgent && m.Weight == 0 {
		m.Weight = DefaultWeight
	}
	m.Tags = maps.Clone(m.Tags)
	return m
}

// check returns all that is wrong with m, whoever says it.
func (m Meta) check() error {
	var errs []error
	if m.Role != RoleBalancer && m.Role != RoleAgent {
		errs = append(errs, errors.New("role is neither balancer nor agent"))
	}
	if m.Weight != 0 && (m.Weight < MinWeight || m.Weight > MaxWeight) {
		errs = append(errs, fmt.Errorf("weight %d is not within %d to %d", m.Weight, MinWeight, MaxWeight))
	}
	for _, text := range []string{m.Pool, m.Version} {
		if !cleanText(text) {
			errs = append(errs, fmt.Errorf("%q is not UTF-8 without control characters", text))
		}
	}
	for k, v := range m.Tags {
		if k == "" || !cleanText(k) || !cleanText(v) {
			errs = append(errs, fmt.Errorf("tag %q = %q: key is empty, or one of both is not UTF-8 without control characters", k, v))
		}
	}
	for _, addr := range []netip.AddrPort{m.Addr, m.AdvertAddr} {
		if addr != (netip.AddrPort{}) && !reachable(addr) {
			errs = append(errs, fmt.Errorf("%v is not an address and port that others can reach", addr))
		}
	}
	return errors.Join(errs...)
}

// reachable reports whether somebody may listen at addr: a unicast address without zone, and a port.
func reachable(addr netip.AddrPort) bool {
	ip := addr.Addr()
	return addr.IsValid() && addr.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == ""
}
