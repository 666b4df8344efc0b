package keeper

import (
	"os"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

// state is everything the keeper knows, for status.
func (l *loop) state(now time.Time) *ipc.KeeperState {
	heard, refused := l.adverts.counts()
	s := &ipc.KeeperState{
		Node:     l.set.node,
		Since:    l.set.since,
		Secured:  l.trust.keyed,
		Interval: l.set.interval,
		Sessions: len(*l.trust.keys.Load()),
		Maint:    l.maintSince,
		Adverts: ipc.AdvertCounts{
			Sent: l.sender.sent.Load(), Heard: heard, Refused: refused, WorstLate: l.sender.late.worst(now),
		},
		Processes: []ipc.Process{
			withRights(ipc.Process{
				Name: "keeper", PID: os.Getpid(), Since: l.set.since, Ready: true,
				OwnUser: l.control.child.who.cred != nil && l.proxy.now.child.who.cred != nil,
			}),
			l.control.child.state(),
		},
	}
	s.Tracks = l.tracks.states()
	s.Channels, _ = l.channel.listeners()
	s.Processes = append(s.Processes, l.proxy.states()...)
	for _, r := range l.control.runners {
		s.Processes = append(s.Processes, r.child.state())
	}
	for _, g := range l.groups {
		gs := g.state(now)
		if g.draining {
			gs.Left = l.proxy.left().Total
		}
		s.Groups = append(s.Groups, gs)
	}
	return s
}

func (g *group) state(now time.Time) ipc.GroupState {
	st, held := g.machine.Status(), g.claimer.Status()
	out := ipc.GroupState{
		Name: g.name, VIPs: held.Addrs, Interface: g.ifi.Name,
		State: st.State.String(), Since: st.Since, Reason: st.Reason.String(), Active: st.Active,
		Epoch: st.Epoch, Priority: st.Priority, Fitness: st.Fitness,
	}
	out.Transitions = g.entered.byState()
	out.Fenced, out.Degraded = st.Fenced, st.PathDegraded.String()
	out.Answers, out.Lossy = answers(held), st.NotLossless
	out.Tickle, out.SelfTests = g.clients.state(), g.tester.results()
	if held.Held {
		out.Holding, out.LeaseUntil = held.Addrs, held.LeaseUntil
	}
	for _, p := range st.Peers {
		out.Peers = append(out.Peers, ipc.Peer{
			Node: p.Node, Addr: p.Addr, State: p.State.String(), Priority: p.Priority,
			Epoch: p.Epoch, Fitness: p.Fitness, HeardAgo: now.Sub(p.Heard),
		})
	}
	return out
}

func answers(st vip.Status) ipc.Answers {
	a := ipc.Answers{IPv4: st.IPv4.Mode.String(), IPv6: st.IPv6.Mode.String(), Given: st.Answered, Refused: st.Refused}
	for _, f := range []vip.FamilyStatus{st.IPv4, st.IPv6} {
		switch {
		case f.Mode == vip.ModeLease && f.Err != nil:
			a.Note = f.Err.Error()
		case f.Mode == vip.ModeKeeper && !f.InForce:
			a.Note = "unmuted: something removed the nftables table that keeps the kernel silent; it is being put back"
		}
	}
	return a
}
