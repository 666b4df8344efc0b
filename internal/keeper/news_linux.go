package keeper

import (
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// What the other processes say, and their births and deaths, as the loop takes it in.

func (l *loop) childStarted(ev childStarted) {
	l.changed = true
	switch ev.child.name {
	case proxyName:
		if p := l.proxy.started(ev, time.Now()); p != nil {
			l.link(p)
		}
	case controlName:
		l.control.started(ev.conn)
		l.tellAgain()
		for _, p := range l.proxy.all() {
			l.link(p)
		}
		for _, r := range l.control.runners {
			l.join(&r.desk, r.user)
		}
	case runnerName:
		l.runnerStarted(ev)
	}
}

func (l *loop) link(p *proxyEnd) { l.join(&p.desk, "") }

// join joins control and another by a fresh pair, whenever both are there and one is new.
func (l *loop) join(d *desk, runner string) {
	if l.control.conn == nil || d.conn == nil {
		return
	}
	a, b, err := ipc.Pair()
	if err != nil {
		l.log.Error("control cannot be joined", "to", d.child.name, "err", err)
		return
	}
	defer a.Close()
	defer b.Close()
	l.control.send(&ipc.Link{Runner: runner}, a)
	d.send(&ipc.Link{}, b)
}

func (l *loop) childMessage(ev childMessage) {
	if ev.child.name == proxyName {
		if p := l.proxy.of(ev.child); p != nil {
			l.proxyMessage(p, ev.m)
		}
		return
	}
	if _, ok := ev.m.(*ipc.Ready); ok {
		l.changed = true
	}
	if ev.child.name != controlName {
		l.runnerMessage(ev)
		return
	}
	switch m := ev.m.(type) {
	case *ipc.Cluster:
		l.cluster(m)
	case *ipc.HandOver:
		l.handOver(m)
	case *ipc.Maintain:
		l.maintain(m)
	case *ipc.ReplaceProxy:
		l.replaceProxy(m.ID, time.Now())
	case *ipc.RelayAnswer:
		l.relayed(m)
	case *ipc.Reload:
		l.askReload(m.ID, m.DryRun)
	case *ipc.Prepared:
		l.prepared(controlName, m)
	case *ipc.Committed:
		l.committed(controlName, m)
	}
}

func (l *loop) proxyMessage(p *proxyEnd, m ipc.Message) {
	now := time.Now()
	switch m := m.(type) {
	case *ipc.Ready:
		l.changed = true
		if p == l.proxy.next {
			l.promote(now)
		} else {
			l.proxy.becomeReady(p, now)
		}
	case *ipc.ProxyState:
		p.up, p.total, p.listed = m.Up, m.Total, m.Listed
	case *ipc.Clients:
		l.proxy.count(p, *m, now)
	case *ipc.FirstServed:
		l.control.send(&ipc.Served{At: now, Group: m.Group, Epoch: m.Epoch, After: m.After})
	case *ipc.Prepared:
		l.prepared(proxyName, m)
	case *ipc.Warm:
		l.warm(m)
	case *ipc.Committed:
		l.committed(proxyName, m)
	}
}

func (l *loop) childEnded(ev childEnded) {
	l.changed = true
	switch ev.child.name {
	case proxyName:
		l.proxyEnded(ev)
	case controlName:
		l.control.ended()
		l.lostForReload(controlName)
		l.control.decide(true)
	case runnerName:
		l.runnerEnded(ev)
	}
}

// cluster takes in what gossip knows: more peers to advertise to, and that a cold start
// need not wait for the seeds any longer.
func (l *loop) cluster(m *ipc.Cluster) {
	l.gossiped = m.Balancers
	now := time.Now()
	l.refreshPeers(now)
	l.forgetGone(now)
	if m.SeedsTried && !l.seedsTried {
		l.seedsTried = true
		l.stepAll(election.SeedsTried{Known: nodes(m.Balancers)})
	}
}

func nodes(balancers []ipc.Balancer) []string {
	var names []string
	for _, b := range balancers {
		names = append(names, b.Node)
	}
	return names
}
