package keeper

import (
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// What the two other processes say, and their births and deaths, as the loop takes it in.

func (l *loop) childStarted(ev childStarted) {
	l.changed = true
	switch ev.child.name {
	case proxyName:
		l.proxy.started(ev.conn)
	case controlName:
		l.control.started(ev.conn)
	}
	l.link()
}

// link joins control and proxy by a fresh pair, whenever both are there and one is new.
func (l *loop) link() {
	if l.control.conn == nil || l.proxy.conn == nil {
		return
	}
	a, b, err := ipc.Pair()
	if err != nil {
		l.log.Error("control and proxy cannot be joined", "err", err)
		return
	}
	defer a.Close()
	defer b.Close()
	l.control.send(&ipc.Link{}, a)
	l.proxy.send(&ipc.Link{}, b)
}

func (l *loop) childMessage(ev childMessage) {
	switch m := ev.m.(type) {
	case *ipc.Ready:
		l.changed = true
		if ev.child.name == proxyName {
			l.proxy.becomeReady(time.Now())
		}
	case *ipc.ProxyState:
		l.proxy.backends(m.Up, m.Total)
	case *ipc.Clients:
		l.proxy.clients = *m
	case *ipc.Cluster:
		l.cluster(m)
	case *ipc.RelayAnswer:
		l.relayed(m)
	}
}

func (l *loop) childEnded(ev childEnded) {
	l.changed = true
	switch ev.child.name {
	case proxyName:
		l.proxy.ended()
	case controlName:
		l.control.ended()
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
		l.stepAll(election.SeedsTried{})
	}
}
