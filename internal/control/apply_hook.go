package control

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
	"github.com/tandem-lb/tandem/membership"
)

// This file alone translates into hook's and render's values.

var (
	memberEvents = map[membership.EventKind]string{
		membership.EventJoin: hook.MemberJoin, membership.EventUpdate: hook.MemberUpdate, membership.EventLeave: hook.MemberLeave,
		membership.EventFail: hook.MemberFailed, membership.EventConflict: hook.Conflict,
	}
	stateEvents     = []string{hook.Active, hook.Backup, hook.Draining, hook.Fault}
	conflictReasons = []string{"conflict-lost", "foreign-owner"} // of election
)

func hookRules(hooks []ipc.Hook) []hook.Rule {
	var out []hook.Rule
	for _, h := range hooks {
		out = append(out, hook.Rule{Name: h.Name, Events: h.Events, ActiveOnly: h.ActiveOnly, Concurrency: h.Concurrency, Queue: h.Queue})
	}
	return out
}

// minimums is what pools ask for; a pool that did so before keeps what is known of it.
func minimums(pools []ipc.StaticPool, before []*hook.Minimum) []*hook.Minimum {
	var out []*hook.Minimum
	for _, p := range pools {
		if p.MinBackends == 0 {
			continue
		}
		m := &hook.Minimum{Pool: p.Name}
		if i := slices.IndexFunc(before, func(b *hook.Minimum) bool { return b.Pool == p.Name }); i >= 0 {
			m = before[i]
		}
		m.Wanted, m.After = p.MinBackends, p.MinAfter
		out = append(out, m)
	}
	return out
}

func hookResult(m *ipc.HookEnded) hook.Result {
	return hook.Result{Err: m.Error, TimedOut: m.TimedOut, Output: m.Output, Took: m.Took, At: m.At}
}

func hookMember(m membership.Member) hook.Member {
	out := hook.Member{Name: m.Name, Role: m.Meta.Role.String(), Addr: netip.AddrPortFrom(m.Addr, m.Port), Tags: m.Meta.Tags}
	for _, a := range m.Meta.Apps {
		out.Apps = append(out.Apps, hook.App(a))
	}
	return out
}

func userEvent(ev membership.UserEvent) hook.Event {
	return hook.Event{Name: hook.User, UserEvent: ev.Name, Payload: ev.Payload, Sender: ev.From}
}

// backendEvents tells what has become of backends from one report of a proxy to the next. A
// new one is down until its first check, which is no event; one that is gone is down.
func backendEvents(was, is *ipc.ProxyState, now time.Time) []hook.Event {
	type key struct{ pool, id string }
	before := make(map[key]ipc.BackendState)
	for _, pool := range was.Pools {
		for _, b := range pool.Backends {
			before[key{pool.Name, b.ID}] = b
		}
	}
	var out []hook.Event
	add := func(name, pool string, b ipc.BackendState) {
		out = append(out, hook.Event{Name: name, Time: b.Since, Pool: pool, Backend: b.ID, Addr: b.Addr, Reason: b.Reason})
	}
	for _, pool := range is.Pools {
		for _, b := range pool.Backends {
			old, known := before[key{pool.Name, b.ID}]
			delete(before, key{pool.Name, b.ID})
			switch {
			case b.State == old.State:
			case b.State == "up":
				add(hook.BackendUp, pool.Name, b)
			case b.State == "down" && known:
				add(hook.BackendDown, pool.Name, b)
			}
		}
	}
	for _, pool := range was.Pools {
		for _, b := range pool.Backends {
			if gone, ok := before[key{pool.Name, b.ID}]; ok && gone.State != "down" {
				b.Since, b.Reason = now, "it is no longer in the pool"
				add(hook.BackendDown, pool.Name, b)
			}
		}
	}
	return out
}

// templateData puts together what templates see. What changes without being news, such as
// counters, is no part of it.
func templateData(node string, pic picture, lists *ipc.Pools) render.Data {
	d := render.Data{Node: node, VIPs: []netip.Addr{}, Members: []render.Member{}, Pools: []render.Pool{}}
	if pic.keeper != nil {
		for _, g := range pic.keeper.Groups {
			d.VIPs = append(d.VIPs, g.VIPs...)
		}
		d.Active = len(pic.keeper.Groups) == 0 || pic.keeper.Groups[0].State == hook.Active
	}
	tags := make(map[string]map[string]string) // by backend
	for _, m := range pic.members {
		if !m.State.Present() {
			continue
		}
		d.Members = append(d.Members, render.Member{Name: m.Name, Role: m.Meta.Role.String(), Host: m.Addr.String(), Tags: m.Meta.Tags})
		for nth := range m.Meta.Apps {
			tags[m.AppID(nth)] = m.Meta.Tags
		}
	}
	states := make(map[[2]string]string)
	if pic.proxy != nil {
		for _, p := range pic.proxy.Pools {
			for _, b := range p.Backends {
				states[[2]string{p.Name, b.ID}] = b.State
			}
		}
	}
	for _, p := range lists.Pools {
		out := render.Pool{Name: p.Name, Backends: []render.Backend{}}
		for _, b := range p.Backends {
			state, known := states[[2]string{p.Name, b.ID}]
			if !known {
				state = "down" // until its first check
			}
			out.Backends = append(out.Backends, render.Backend{
				Name: strings.TrimPrefix(b.ID, staticPrefix), Host: b.Addr.Addr().String(), Port: int(b.Addr.Port()),
				Weight: b.Weight, State: state, Drain: b.Drain, Tags: tags[b.ID],
			})
		}
		d.Pools = append(d.Pools, out)
	}
	return d
}

// vipsOf returns the VIPs of a group.
func vipsOf(k *ipc.KeeperState, group string) []netip.Addr {
	if k == nil {
		return nil
	}
	i := slices.IndexFunc(k.Groups, func(g ipc.GroupState) bool { return g.Name == group })
	if i < 0 {
		return nil
	}
	return k.Groups[i].VIPs
}
