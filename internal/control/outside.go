package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

// maxOutside bounds the apps outside of the pools that are told of.
const maxOutside = 64

// outside are the apps of members that no pool has, and why: of those that are gone, those
// whose agent does not announce them, and those that are refused.
func outside(members []membership.Member, refused []refusal, lists *ipc.Pools) (out []api.Outside) {
	in := make(map[string]bool)
	for _, l := range lists.Pools {
		for _, b := range l.Backends {
			in[b.ID] = true
		}
	}
	for _, m := range members {
		if m.Meta.Role != membership.RoleAgent {
			continue
		}
		for nth, app := range m.Meta.Apps {
			one := api.Outside{Member: m.Name, App: m.AppID(nth), Pool: app.Pool, Addr: app.Addr}
			at := slices.IndexFunc(refused, func(r refusal) bool { return r.App == one.App && r.Pool == one.Pool })
			switch {
			case len(out) == maxOutside:
				return out
			case at >= 0:
				one.Why = "The pool does not take it: " + refused[at].Reason + "."
			case in[one.App]:
				continue
			case !m.State.Present():
				one.Why = fmt.Sprintf("Its agent %s is not there any more: gossip says %s.", m.Name, m.State)
			case !app.Addr.IsValid():
				one.Why = "Its agent does not announce it: the app does not run there, or its check fails."
			default:
				one.Why = "It was announced just now."
			}
			out = append(out, one)
		}
	}
	return out
}

// addWhy says of each backend that gets no new requests why.
func addWhy(s *api.Status) {
	for i := range s.Pools {
		for j := range s.Pools[i].Backends {
			b := &s.Pools[i].Backends[j]
			if b.Why = whyNone(*b); b.Why == "" && b.Backup && !s.Pools[i].OnBackup {
				b.Why = "It is a backup: it gets requests only while no other backend of its pool is up."
			}
		}
	}
}

// whyNone is why a backend gets no new requests, "" if it may get some.
func whyNone(b api.Backend) string {
	hand := ""
	if h := b.ByHand; h != nil && h.State != "" {
		hand = fmt.Sprintf("set by %s on %s at %s", cmp.Or(h.Who, "somebody"), h.Node, h.At.Format("2006-01-02 15:04:05 MST"))
	}
	switch {
	case b.State == "maint":
		return "It is in maintenance by hand: " + hand + "."
	case b.State == "drain" && hand != "":
		return "It drains by hand: " + hand + "."
	case b.State == "drain":
		return "It drains: its agent said so, as it does before it stops the app."
	case b.State != "down":
		return ""
	case b.CheckedAt.IsZero():
		return "It has not been checked yet."
	}
	return "Its check fails: " + strings.TrimSuffix(cmp.Or(b.Reason, "no reason is known"), ".") + "."
}
