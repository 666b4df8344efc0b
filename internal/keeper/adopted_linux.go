package keeper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/vip"
)

// VIPs that an earlier keeper left on the interface are kept, but muted, for the sake of
// the connections of the proxy that was adopted with them (E11). The election decides what
// becomes of them, as if nothing were there: if it claims, they are announced again and the
// connections go on. If another node is active, the connections are lost to this one; it
// drains what still comes, and lets the addresses go.

// drainDelay is when a draining proxy begins to end connections: by then new ones come to
// the node that has taken the VIP.
const drainDelay = time.Second

// inherited is what a group knows about VIPs that an earlier keeper left. The zero value is
// of a group that has none.
type inherited struct {
	until time.Time // another node is active: the addresses go at the latest then; zero: it is not known yet
}

func (l *loop) anyActive() bool {
	return slices.ContainsFunc(l.groups, func(g *group) bool { return g.machine.State() == election.Active })
}

// settleInherited decides about left VIPs, when the election has.
func (l *loop) settleInherited(g *group, now time.Time) {
	if g.inherited == nil {
		return
	}
	st, held := g.machine.Status(), g.claimer.Status()
	switch {
	case !held.Held && g.inherited.until.IsZero():
		return // the claimer has not looked yet, or there was nothing
	case st.State == election.Active:
		g.log.Info("the VIPs of an earlier keeper are held again", "vip", held.Addrs, "connections", l.proxy.left().Total)
		g.inherited = nil
		l.proxy.resume()
	case st.Active == "":
	case g.inherited.until.IsZero():
		g.log.Info("another node is active; draining what an earlier keeper left", "active", st.Active, "connections", l.proxy.left().Total)
		if l.anyActive() { // on other VIPs, whose connections are to go on
			g.inherited.until = now.Add(drainDelay)
			return
		}
		g.inherited.until = now.Add(l.proxy.drainTime)
		l.proxy.drain(now, drainDelay)
	case l.proxy.left().Total == 0 || now.After(g.inherited.until):
		g.log.Info("releasing the VIPs of an earlier keeper", "vip", held.Addrs, "connections_left", l.proxy.left().Total)
		g.inherited = nil
		l.proxy.resume()
		g.enqueue(func(ctx context.Context) event {
			if err := g.claimer.Release(ctx); err != nil && !errors.Is(err, vip.ErrNotClaimed) {
				g.log.Error("releasing", "err", err)
			}
			return nil
		}, "release")
	}
}
