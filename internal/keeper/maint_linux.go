package keeper

import (
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// inMaintenance is why a node in maintenance does not serve, as its peers' operators read it.
const inMaintenance = "it is in maintenance"

// maintain takes this node out of service, or back. VIPs that it has are handed over first: when
// that fails nothing has changed. In maintenance it is no candidate for any of them, whatever
// happens to the others; what it has left of connections goes on.
func (l *loop) maintain(m *ipc.Maintain) {
	l.changed = true
	switch {
	case m.On == !l.maintSince.IsZero():
		l.control.send(&ipc.Outcome{ID: m.ID, Message: map[bool]string{
			true: l.set.node + " is in maintenance already", false: l.set.node + " is not in maintenance",
		}[m.On]})
	case m.On:
		l.beginMaintenance(m.ID)
	default:
		l.maintSince = time.Time{}
		l.log.Info("maintenance has ended")
		l.control.send(&ipc.Outcome{ID: m.ID, Message: l.set.node + " is in service again; VIPs move to it when they are handed over, or their node fails"})
	}
}

func (l *loop) beginMaintenance(id uint64) {
	o := &order{end: func(did, failed string) *ipc.Outcome {
		if failed != "" {
			return &ipc.Outcome{ID: id, Message: did, Error: failed + "; " + l.set.node + " is not in maintenance", Remedy: "'tandem status' shows who is there and fit to take over"}
		}
		l.maintSince, l.changed = time.Now(), true
		l.log.Info("maintenance begins: this node is no candidate until 'tandem maint off'")
		return &ipc.Outcome{ID: id, Message: join(did, l.set.node+" is in maintenance until 'tandem maint off' or a restart")}
	}}
	var active []*group
	for _, g := range l.groups {
		if g.machine.State() == election.Active {
			active = append(active, g)
		}
	}
	o.waits = len(active)
	if o.waits == 0 {
		l.control.send(o.end("", ""))
		return
	}
	l.orders[id] = o
	for _, g := range active {
		l.step(g, election.Handover{ID: id})
	}
}
