package control

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

// staticPrefix begins the ID of a static backend; no member's name has a space in it.
const staticPrefix = "static "

// refusal is an app that may not serve the pool it asks for.
type refusal struct {
	App, Pool, Reason string
}

// poolLists computes every pool's whole list. Order is stable: static backends as in the
// configuration, then members by name.
func poolLists(static []ipc.StaticPool, members []membership.Member) (*ipc.Pools, []refusal) {
	out := new(ipc.Pools)
	index := make(map[string]int, len(static))
	for i, s := range static {
		index[s.Name] = i
		p := ipc.PoolBackends{Name: s.Name, Backends: []ipc.Backend{}}
		for _, addr := range s.Backends {
			p.Backends = append(p.Backends, ipc.Backend{ID: staticPrefix + addr.String(), Addr: addr, Weight: membership.DefaultWeight})
		}
		out.Pools = append(out.Pools, p)
	}
	var refused []refusal
	for _, m := range members { // sorted by name
		if m.Meta.Role != membership.RoleAgent || !m.State.Present() {
			continue
		}
		for nth, app := range m.Meta.Apps {
			if !app.Addr.IsValid() {
				continue
			}
			i, known := index[app.Pool]
			if !known {
				refused = append(refused, refusal{m.AppID(nth), app.Pool, "no such pool is configured"})
				continue
			}
			if reason := refuse(static[i], m, app.Addr.Addr(), out.Pools[i].Backends, m.AppID(nth)); reason != "" {
				refused = append(refused, refusal{m.AppID(nth), app.Pool, reason})
				continue
			}
			out.Pools[i].Backends = append(out.Pools[i].Backends, ipc.Backend{
				ID: m.AppID(nth), Addr: app.Addr, Weight: app.Weight, Drain: app.Drain,
			})
		}
	}
	return out, refused
}

// inherit adds to lists the backends that a proxy got from an earlier control process,
// reports as up, and that gossip has not said a word about yet. A control process that was
// started again knows nobody at first; its ignorance must not take an app out of service.
// It changes only pools that are configured still.
func inherit(lists *ipc.Pools, reported []ipc.PoolState, members []membership.Member) {
	known := make(map[string]bool, len(members))
	for _, m := range members {
		known[m.Name] = true
	}
	for i := range lists.Pools {
		pool := &lists.Pools[i]
		for _, b := range pool.Backends {
			known[b.ID] = true // inherited already, from another proxy
		}
		for _, r := range reported {
			if r.Name != pool.Name {
				continue
			}
			for _, b := range r.Backends {
				if b.State == "up" && !known[b.ID] && !known[membership.AppMember(b.ID)] && !strings.HasPrefix(b.ID, staticPrefix) {
					pool.Backends = append(pool.Backends, ipc.Backend{ID: b.ID, Addr: b.Addr, Weight: b.Weight})
				}
			}
		}
	}
}

// refuse says why the agent m may not announce its app id at addr for a pool in which taken are already; empty: it
// may. An agent
// that names an address other than the one it gossips from could send the pool's traffic,
// and its checks, to anybody.
func refuse(pool ipc.StaticPool, m membership.Member, addr netip.Addr, taken []ipc.Backend, id string) string {
	switch {
	case slices.ContainsFunc(taken, func(b ipc.Backend) bool { return b.ID == id }):
		return "it announces the same port for this pool twice"
	case len(pool.Allow) > 0 && !within(pool.Allow, addr):
		return "its address is in none of the networks that the pool allows"
	case addr != m.Addr && !within(pool.SpeakFor, addr):
		return "it announces an address that is not its own and in none of the pool's speak_for networks"
	}
	for _, tag := range pool.AllowTags {
		if value, ok := m.Meta.Tags[tag[0]]; !ok || value != tag[1] {
			return "it does not bear the tag " + tag[0] + "=" + tag[1]
		}
	}
	return ""
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// balancers returns where the other balancers' keepers hear adverts.
func balancers(members []membership.Member) []ipc.Balancer {
	var out []ipc.Balancer
	for _, m := range members {
		if m.Meta.Role == membership.RoleBalancer && m.State.Present() && !m.Self && m.Meta.AdvertAddr.IsValid() {
			out = append(out, ipc.Balancer{Node: m.Name, Addr: m.Meta.AdvertAddr})
		}
	}
	return out
}
