package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

// A planned move of VIPs, as the machines want it (election/handover.go): here it only gets
// its hands, which are the state channel, the forward table, the claimer and the proxies.

// peerKey is one life of a peer's keeper.
type peerKey struct {
	node string
	boot uint64
}

// actHandover starts an action that belongs to a handover; false if a does not.
func (l *loop) actHandover(g *group, a election.Action) bool {
	switch a := a.(type) {
	case election.Tell:
		g.log.Debug("handover: says", "peer", a.Node, "message", a.Message.Kind.String(), "text", a.Message.Text)
		l.channel.tell(a.Node, a.Boot, talk{group: g.name, message: &a.Message})
	case election.Prepare:
		w := g.wheres[peerKey{a.Node, a.Boot}]
		g.forwardsTo = a.Node
		g.queueTable(func(ctx context.Context) event {
			began := time.Now()
			err := g.forward.prepare(ctx, a, w)
			g.log.Debug("handover: forward table", "peer", a.Node, "took", time.Since(began), "err", err)
			return answered{g, election.Prepared{Token: a.Token, Err: err}}
		})
	case election.Forget:
		node, ofLife := g.forwardsTo, l.lostLife(g, g.forwardsTo)
		g.queueTable(func(context.Context) event {
			if err := g.forward.forget(); err != nil {
				g.log.Error("the forward table stays", "err", err)
			}
			g.clients.vanished(node, ofLife) // what they answer is not sent on any more
			return nil
		})
	case election.Drain:
		g.enqueue(func(ctx context.Context) event {
			if err := g.claimer.Drain(ctx, a.For); err != nil && !errors.Is(err, vip.ErrNotClaimed) {
				g.log.Error("draining", "err", err)
			}
			return nil
		}, "drain")
	case election.DrainProxy:
		g.draining = true
		l.orderProxies(time.Now())
	case election.ResumeProxy:
		g.log.Info("the drain has ended", "connections_left", l.proxy.left().Total)
		g.draining = false
		l.orderProxies(time.Now())
	case election.HandedOver:
		l.handedOver(g, a)
	default:
		return false
	}
	return true
}

// queueTable has the group's forwards do it. The machine does without an answer after its
// AnswerTimeout, so what finds no room is dropped.
func (g *group) queueTable(action func(context.Context) event) {
	select {
	case g.tables <- action:
	default:
		g.log.Error("too many changes of the forward table wait; this one is dropped")
	}
}

// orderProxies has the proxies end their connections while a group drains, unless another
// group is active here: its connections are the same proxies'.
func (l *loop) orderProxies(now time.Time) {
	drains := false
	for _, g := range l.groups {
		drains = drains || g.draining
	}
	switch ordered := !l.proxy.drainAt.IsZero(); {
	case drains && !ordered && !l.anyActive():
		l.proxy.drain(now, drainDelay)
	case ordered && (!drains || l.anyActive()):
		l.proxy.resume()
	}
}

// lookAtDrain tells the groups that drain how far it has come.
func (l *loop) lookAtDrain() {
	if l.proxy.drainAt.IsZero() || !l.proxy.now.clients.Draining {
		return
	}
	for _, g := range l.groups {
		if g.draining {
			l.step(g, election.Connections{Left: int(l.proxy.left().Total)})
		}
	}
}

// linked tells the machines with whom they can speak.
func (l *loop) linked(ev peerLinked) {
	if !ev.up && l.channel.stands(ev.node, ev.boot) {
		return // there is another one
	}
	l.stepAll(election.Linked{Node: ev.node, Boot: ev.boot, Up: ev.up})
}

// said hands what a peer said to the group that it is about.
func (l *loop) said(ev peerSaid) {
	for _, g := range l.groups {
		switch {
		case g.name != ev.talk.group:
		case ev.talk.message != nil:
			g.log.Debug("handover: hears", "peer", ev.node, "message", ev.talk.message.Kind.String(), "text", ev.talk.message.Text)
			l.step(g, election.Said{Node: ev.node, Boot: ev.boot, Message: *ev.talk.message})
		default:
			for key := range g.wheres {
				if key.node == ev.node {
					delete(g.wheres, key)
				}
			}
			if len(g.wheres) < maxPeers {
				g.wheres[peerKey{ev.node, ev.boot}] = ev.talk.where
				g.tester.meet(peerKey{ev.node, ev.boot}, ev.talk.where)
			}
		}
	}
}

// introduce is what each peer is told first.
func (l *loop) introduce() (all []talk) {
	for _, g := range l.groups {
		t, err := g.whereabouts()
		if err != nil {
			g.log.Warn("peers cannot forward to this node", "err", err)
			continue
		}
		all = append(all, t)
	}
	return all
}

// lookAtLossless tells a machine whether this node could take part in a handover without
// loss, when that is news.
func (l *loop) lookAtLossless(g *group) {
	why := g.lossy()
	if g.toldLossy != nil && *g.toldLossy == why {
		return
	}
	g.toldLossy = &why
	l.changed = true
	l.step(g, election.Lossless{OK: why == "", Reason: why})
}

// lossy says why a handover would break connections, "" if it would not.
func (g *group) lossy() string {
	st := g.claimer.Status()
	switch {
	case g.moved:
		return "a program moves the VIPs"
	case st.IPv4.Mode == vip.ModeLease || st.IPv6.Mode == vip.ModeLease:
		return "the kernel answers for the VIPs and cannot be muted"
	case st.IPv4.Mode == vip.ModeNone && st.IPv6.Mode == vip.ModeNone:
		return "it is not known yet who answers for the VIPs"
	}
	return ""
}

// cleanTables removes what an earlier run left, before anything is forwarded.
func (g *group) cleanTables() {
	removed, err := handover.Clean(g.name)
	if err != nil {
		g.log.Debug("forward tables of an earlier run", "err", err)
	}
	if len(removed) > 0 {
		g.log.Warn("removed forward tables of an earlier run", "tables", removed)
	}
}

// handOver is an operator's order: it is passed on to each group named, and answered when
// all are done.
func (l *loop) handOver(m *ipc.HandOver) {
	var groups []*group
	for _, g := range l.groups {
		if m.Group == "" || m.Group == g.name {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		l.control.send(&ipc.Outcome{ID: m.ID, Error: "there is no VIP group " + m.Group, Remedy: "'tandem status' names them"})
		return
	}
	l.orders[m.ID] = &order{waits: len(groups)}
	for _, g := range groups {
		l.step(g, election.Handover{ID: m.ID, To: m.To})
	}
}

// order is what an operator waits for.
type order struct {
	waits  int
	did    string
	failed string
	end    func(did, failed string) *ipc.Outcome // what it was for, in the end; nil: for the handover itself
}

// handedOver notes how it ended for one group, and answers with the last.
func (l *loop) handedOver(g *group, a election.HandedOver) {
	o := l.orders[a.ID]
	if o == nil {
		return
	}
	o.waits--
	switch {
	case a.Err != "":
		o.failed = join(o.failed, g.name+": "+a.Err)
	case a.Lossy:
		o.did = join(o.did, g.name+": "+a.To+" is active; connections were not kept")
	default:
		o.did = join(o.did, g.name+": "+a.To+" is active, no connection was lost")
	}
	if o.waits > 0 {
		return
	}
	delete(l.orders, a.ID)
	if o.end != nil {
		l.control.send(o.end(o.did, o.failed))
		return
	}
	out := &ipc.Outcome{ID: a.ID, Message: o.did, Error: o.failed}
	if o.failed != "" {
		out.Remedy = "'tandem status' shows who is there and fit"
	}
	l.control.send(out)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
