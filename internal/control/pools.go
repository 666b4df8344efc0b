package control

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

// staticPrefix begins the ID of a static backend; no member's name has a space in it.
const staticPrefix = "static "

// refusal is an app that may not serve the pool it asks for.
type refusal struct {
	App, Pool, Reason string
}

// maxBackends bounds the apps of members in all pools together, well above what a proxy has
// to do with. Those that have been there longest count: a flood of members displaces nobody.
const maxBackends = 16384

// doubtTime is how long an app may serve on whose agent gossip has found dead; see [doubted].
const doubtTime = time.Minute

// candidate is an app that may be in a pool, by its place in the lists.
type candidate struct {
	pool    int
	backend ipc.Backend
	since   time.Time // that its member is there, or is not
	failed  bool
}

// poolLists computes every pool's whole list. Order is stable: static backends as in the
// configuration, then members by name. up says whether a proxy finds the backend of that ID well.
func poolLists(static []ipc.StaticPool, members []membership.Member, up func(id string) bool, now time.Time) (*ipc.Pools, []refusal) {
	out := new(ipc.Pools)
	for _, s := range static {
		p := ipc.PoolBackends{Name: s.Name, Backends: []ipc.Backend{}}
		for _, b := range s.Backends {
			p.Backends = append(p.Backends, ipc.Backend{ID: staticPrefix + b.Addr.String(), Addr: b.Addr, Weight: b.Weight, MaxConn: b.MaxConn, Backup: b.Backup})
		}
		out.Pools = append(out.Pools, p)
	}
	all, refused := candidates(static, members)
	all = slices.DeleteFunc(all, func(c candidate) bool { return c.failed && (now.Sub(c.since) > doubtTime || !up(c.backend.ID)) })
	all = doubted(all, len(static))
	if len(all) > maxBackends {
		byAge := slices.SortedStableFunc(slices.Values(all), func(a, b candidate) int { return a.since.Compare(b.since) })
		last := byAge[maxBackends].since
		all = slices.DeleteFunc(all, func(c candidate) bool {
			if c.since.Before(last) {
				return false
			}
			refused = append(refused, refusal{c.backend.ID, static[c.pool].Name, fmt.Sprintf("%d apps are in the pools, and no more fit", maxBackends)})
			return true
		})
	}
	for _, c := range all {
		out.Pools[c.pool].Backends = append(out.Pools[c.pool].Backends, c.backend)
	}
	return out, refused
}

// candidates returns the apps of all members that are there or have failed, and those that
// no pool takes.
func candidates(static []ipc.StaticPool, members []membership.Member) (all []candidate, refused []refusal) {
	index := make(map[string]int, len(static))
	for i, s := range static {
		index[s.Name] = i
	}
	for _, m := range members { // sorted by name
		failed := m.State == membership.StateFailed
		if m.Meta.Role != membership.RoleAgent || !m.State.Present() && !failed {
			continue
		}
		first := len(all)
		for nth, app := range m.Meta.Apps {
			if !app.Addr.IsValid() {
				continue
			}
			i, known := index[app.Pool]
			id := m.AppID(nth)
			reason := "no such pool is configured"
			if known {
				reason = refuse(static[i], m, app.Addr.Addr())
			}
			if slices.ContainsFunc(all[first:], func(c candidate) bool { return c.pool == i && c.backend.ID == id }) {
				reason = "it announces the same port for this pool twice"
			}
			switch {
			case reason == "":
				backup := len(static[i].BackupTags) > 0 && lacks(m, static[i].BackupTags) == ""
				all = append(all, candidate{i, ipc.Backend{ID: id, Addr: app.Addr, Weight: app.Weight, Drain: app.Drain, Backup: backup}, m.Since, failed})
			case !failed:
				refused = append(refused, refusal{id, app.Pool, reason})
			}
		}
	}
	return all, refused
}

// doubted drops the apps of failed members, which a proxy finds well for all that, unless that would
// take away more than half of a pool at once. So a member's death is believed before any check
// has found it out; but when gossip loses sight of most of a pool whose apps answer the proxy, it is gossip that is
// broken, by a firewall or a liar, and the checks alone count for [doubtTime].
func doubted(all []candidate, pools int) []candidate {
	failed, present := make([]int, pools), make([]int, pools)
	for _, c := range all {
		if c.failed {
			failed[c.pool]++
		} else {
			present[c.pool]++
		}
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return c.failed && failed[c.pool] <= present[c.pool] })
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
					pool.Backends = append(pool.Backends, ipc.Backend{ID: b.ID, Addr: b.Addr, Weight: b.Weight, Backup: b.Backup}) // the pool's maxconn holds
				}
			}
		}
	}
}

// refuse says why the agent m may not announce an app at addr for a pool; empty: it may. An agent
// that names an address other than the one it gossips from could send the pool's traffic,
// and its checks, to anybody.
func refuse(pool ipc.StaticPool, m membership.Member, addr netip.Addr) string {
	switch {
	case len(pool.Allow) > 0 && !within(pool.Allow, addr):
		return "its address is in none of the networks that the pool allows"
	case addr != m.Addr && !within(pool.SpeakFor, addr):
		return "it announces an address that is not its own and in none of the pool's speak_for networks"
	}
	if tag := lacks(m, pool.AllowTags); tag != "" {
		return "it does not bear the tag " + tag
	}
	return ""
}

// lacks returns the first of tags that m does not bear; empty: it bears all.
func lacks(m membership.Member, tags [][2]string) string {
	for _, tag := range tags {
		if value, ok := m.Meta.Tags[tag[0]]; !ok || value != tag[1] {
			return tag[0] + "=" + tag[1]
		}
	}
	return ""
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// maxBalancers is how many other balancers the keeper is told of; it sends adverts to no more.
const maxBalancers = 64

// balancers returns where the other balancers' keepers hear adverts, sorted by name; where there are too
// many, those that have been there longest.
func balancers(members []membership.Member) []ipc.Balancer {
	all := slices.DeleteFunc(slices.Clone(members), func(m membership.Member) bool {
		return m.Meta.Role != membership.RoleBalancer || !m.State.Present() || m.Self || !m.Meta.AdvertAddr.IsValid()
	})
	slices.SortStableFunc(all, func(a, b membership.Member) int { return a.Since.Compare(b.Since) })
	all = all[:min(len(all), maxBalancers)]
	slices.SortFunc(all, func(a, b membership.Member) int { return strings.Compare(a.Name, b.Name) })
	var out []ipc.Balancer
	for _, m := range all {
		out = append(out, ipc.Balancer{Node: m.Name, Addr: m.Meta.AdvertAddr})
	}
	return out
}
