package keeper

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// A proxy is replaced in place without a lost connection: another one is started with the
// same listening sockets, so with the same queues of connections, and reads none of them
// until it sees as many backends up as the one that serves. Then both read, then the old
// one stops to, and ends with its last connection. For the election there is always one
// that serves.
//
//	       started            as warm as now                   says Ready
//	next ───────────► warms up ─────────────► told to Serve ───────────────► is now
//	now  ──────────────────── serves ────────────────────────────────────► told to Retire
//
// Whoever dies on the way: next, and nothing has happened; now, and next is told to serve
// as soon as it is there (now is started again as well, and retires unless next dies too);
// an old one, and what was left of its connections is lost. When the keeper dies, one that
// never served ends, one that drains goes on to, and the one that serves may be adopted. (In
// the millisecond in which both serve either may be; the other then ends by itself, as an
// orphan that nobody adopts.)
const (
	// warmLimit bounds the wait for a new proxy to be as warm as the old one: the checks of
	// backends that are up take one round trip, and their timeout at worst.
	warmLimit = 15 * time.Second
	// retireExtra is what a retired proxy may take beyond the deadline that it was told.
	retireExtra = 3 * time.Second
	// swapAgain is the pause before a replacement that the keeper itself wants is tried
	// again.
	swapAgain = 30 * time.Second
)

// swap is one replacement.
type swap struct {
	id    uint64 // of the order; 0: the keeper's own
	began time.Time
	// wanted is why the proxy that serves must be replaced, as soon as that can be; "": it
	// need not.
	wanted string
	tryAt  time.Time
}

// replaceProxy begins a replacement.
func (l *loop) replaceProxy(id uint64, now time.Time) {
	d := l.proxy
	switch {
	case d.next != nil:
		l.outcome(id, "a replacement of the proxy is under way already", "wait until it is done; 'tandem status' shows it")
		return
	case l.reloads.now != nil:
		l.outcome(id, "the configuration is being reloaded", "try again when that is done")
		return
	case !d.now.ready:
		l.outcome(id, "the proxy is only starting", "try again when 'tandem status' says that it is ready")
		return
	}
	next, err := d.another()
	if err != nil {
		l.outcome(id, err.Error(), "")
		return
	}
	d.next, d.swap.id, d.swap.began = next, id, now
	l.log.Info("replacing the proxy", "old", d.now.child.pid.Load())
	d.run(next.child)
}

// lookAtProxies does what is due: it lets a warm proxy serve, gives one up that does not
// get warm, and ends old ones that overstay.
func (l *loop) lookAtProxies(now time.Time) {
	d := l.proxy
	d.serveAgain(now)
	if n := d.next; n != nil {
		switch {
		case n.abandoned:
		case now.Sub(d.swap.began) > warmLimit:
			l.giveUpNext(fmt.Sprintf("the new proxy saw %d backends up after %v, the old one sees %d", n.up, warmLimit, d.now.up))
		case n.conn != nil && !n.told && n.listed && (n.up >= d.now.up || !d.now.ready):
			d.tellServe(n)
		}
	} else if d.swap.wanted != "" && d.now.ready && l.control.conn != nil && !now.Before(d.swap.tryAt) {
		d.swap.tryAt = now.Add(swapAgain)
		l.log.Info("the proxy must be replaced", "reason", d.swap.wanted)
		l.replaceProxy(0, now)
	}
	for _, p := range d.old {
		if p.conn != nil && now.After(p.endBy) {
			l.log.Warn("a retired proxy did not end in time; killing it", "pid", p.child.pid.Load(), "connections_left", p.clients.Total)
			p.conn.Close()
		}
	}
}

// promote makes next the one that serves.
func (l *loop) promote(now time.Time) {
	d := l.proxy
	old := d.now
	d.now, d.next = d.next, nil
	d.becomeReady(d.now, now)
	old.endBy = now.Add(d.drainTime + retireExtra)
	d.old = append(d.old, old)
	old.send(&ipc.Retire{Grace: d.drainTime})
	d.swap.wanted = ""
	took, pid := now.Sub(d.swap.began).Round(time.Millisecond), old.child.pid.Load()
	l.log.Info("the proxy was replaced", "old", pid, "new", d.now.child.pid.Load(), "took", took)
	l.control.send(&ipc.Outcome{ID: d.swap.id, Message: fmt.Sprintf(
		"the proxy (process %d) was replaced by process %d in %v; it ends with the last of its connections, or in %v",
		pid, d.now.child.pid.Load(), took, d.drainTime)})
}

// giveUpNext ends a replacement without effect.
func (l *loop) giveUpNext(why string) {
	n := l.proxy.next
	n.abandoned = true
	if n.conn != nil {
		n.conn.Close() // so its process is killed
	}
	l.outcome(l.proxy.swap.id, why+"; the old one serves on", "look at the balancer's log")
}

// outcome tells control why an order was not carried out. An order of the keeper's own has
// no ID, and nobody waits for it.
func (l *loop) outcome(id uint64, why, remedy string) {
	l.log.Warn("the proxy was not replaced", "reason", why)
	if id != 0 {
		l.control.send(&ipc.Outcome{ID: id, Error: why, Remedy: remedy})
	}
}

// proxyEnded takes in the death of a proxy, whichever it was.
func (l *loop) proxyEnded(ev childEnded) {
	d := l.proxy
	p := d.of(ev.child)
	if p == nil {
		return
	}
	left := p.clients
	p.ended()
	switch {
	case p == d.now:
		l.lostForReload(proxyName)
		p.decide(true)
		return
	case p == d.next:
		d.next = nil
		if !p.abandoned {
			l.outcome(d.swap.id, fmt.Sprintf("the new proxy ended before it served (%v); the old one serves on", ev.err), "look at the balancer's log")
		}
	default:
		d.old = slices.DeleteFunc(d.old, func(o *proxyEnd) bool { return o == p })
		l.log.Info("the retired proxy has ended", "connections_left", left.Total)
	}
	p.decide(false)
	if err := p.progress.close(); err != nil {
		l.log.Warn("progress memory", "err", err)
	}
}
