package control

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

// This file alone translates into hook's values.

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
