package membership

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
)

// MaxMeta is the largest encoded Meta in bytes. memberlist allows no more and panics on more; SetMeta and Open refuse.
const MaxMeta = 512

// MaxApps is how many apps one member announces at most.
const MaxApps = 16

// Bounds and default of App.Weight, the same as lbcore's.
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
	Apps       []App             // agents: at most MaxApps; the same ones in the same order for the length of a run
	Version    string            // of the binary
	AdvertAddr netip.AddrPort    // balancers: where its keeper receives adverts
	Config     string            // balancers: a hash of the configuration in effect
	Tags       map[string]string // the user's own
}

// App is one app that an agent announces.
type App struct {
	Pool   string         // that it serves
	Addr   netip.AddrPort // where it listens; zero while it is not announced (its check fails)
	Weight int            // MinWeight to MaxWeight; 0 means DefaultWeight
	Drain  bool           // no new requests, please; those in flight are served to their end
}

// Equal reports whether both say the same.
func (m Meta) Equal(o Meta) bool {
	return m.Role == o.Role && slices.Equal(m.Apps, o.Apps) && m.Version == o.Version && m.AdvertAddr == o.AdvertAddr &&
		m.Config == o.Config && maps.Equal(m.Tags, o.Tags)
}

// Validate returns what SetMeta would find wrong with m, ErrMetaTooLarge included.
func (m Meta) Validate() error {
	_, err := statement{meta: m.withDefaults(), seq: math.MaxUint64}.encode()
	return err
}

// withDefaults returns a copy that owns its Apps and Tags and has a weight where one is needed.
func (m Meta) withDefaults() Meta {
	m.Apps = slices.Clone(m.Apps)
	for i := range m.Apps {
		m.Apps[i].Weight = cmp.Or(m.Apps[i].Weight, DefaultWeight)
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
	if len(m.Apps) > MaxApps {
		errs = append(errs, fmt.Errorf("%d apps where %d are allowed", len(m.Apps), MaxApps))
	}
	texts, addrs := []string{m.Version, m.Config}, []netip.AddrPort{m.AdvertAddr}
	for _, a := range m.Apps {
		if a.Weight < MinWeight || a.Weight > MaxWeight {
			errs = append(errs, fmt.Errorf("weight %d is not within %d to %d", a.Weight, MinWeight, MaxWeight))
		}
		texts, addrs = append(texts, a.Pool), append(addrs, a.Addr)
	}
	for _, text := range texts {
		if !cleanText(text) {
			errs = append(errs, fmt.Errorf("%q is not UTF-8 without control characters", text))
		}
	}
	for k, v := range m.Tags {
		if k == "" || !cleanText(k) || !cleanText(v) {
			errs = append(errs, fmt.Errorf("tag %q = %q: key is empty, or one of both is not UTF-8 without control characters", k, v))
		}
	}
	for _, addr := range addrs {
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
