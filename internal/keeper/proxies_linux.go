package keeper

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// What a proxy is doing, for status.
const (
	doingServe = "serving"
	doingWarm  = "warming up"
	doingDrain = "draining"
)

// serveWithin is how long a proxy that was started after a death may take to see the backends
// that the dead one saw. Control tells it at once who they are, and they are checked at once.
const serveWithin = 100 * time.Millisecond

// leftInterval is how often the log says how many connections a drain waits for.
const leftInterval = 10 * time.Second

// proxyDesk tells the proxies what to do, and knows whether the one that serves does it.
//
// There is one, but for a replacement (next warms up, see replace_linux.go) and after it
// (old ones drain). Only now counts for the election.
type proxyDesk struct {
	now  *proxyEnd
	next *proxyEnd // nil: no replacement is under way
	old  []*proxyEnd
	swap swap // about next

	start     ipc.ProxyStart
	listeners []*os.File
	accessLog *os.File      // nil: none
	meeting   *os.File      // where a later keeper finds the proxy that serves; nil: nowhere
	timeout   time.Duration // of a loop's progress
	drainTime time.Duration
	another   func() (*proxyEnd, error) // makes one more
	run       func(*child)              // keeps its process; set before the loop begins
	log       *slog.Logger

	drainAt    time.Time // from when the connections are to end; zero: they are not
	saidLeft   time.Time // when the log last told how many there are
	lastReason string
	stuck      stuckProxy
	restless   restless
}

// proxyEnd is the loop's end of one proxy process; when it dies and is to be started
// again, of its successor.
type proxyEnd struct {
	desk
	progress *progress
	adopted  *ipc.Orphan // its start was an earlier keeper's; nil after its death

	told      bool      // to serve
	serveBy   time.Time // when it is told to, however many backends it sees by then; zero: no matter
	want      int       // backends that its last life saw up
	ready     bool      // it serves
	died      bool      // its last life has ended
	listed    bool      // it knows who is in the pools
	up, total int       // backends
	clients   ipc.Clients
	endBy     time.Time // of an old one: it is killed if it lives longer
	abandoned bool      // a next one that will never serve
}

func (p *proxyEnd) ended() {
	p.desk.ended()
	if p.up > 0 {
		p.want = p.up
	}
	p.up, p.total, p.serveBy, p.died = 0, 0, time.Time{}, true
	p.told, p.ready, p.listed, p.adopted, p.clients = false, false, false, nil, ipc.Clients{}
}

// of returns the end of a child; nil if it was forgotten.
func (d *proxyDesk) of(c *child) *proxyEnd {
	for _, p := range d.all() {
		if p.child == c {
			return p
		}
	}
	return nil
}

// all of them, the one that serves first.
func (d *proxyDesk) all() []*proxyEnd {
	all := []*proxyEnd{d.now}
	if d.next != nil {
		all = append(all, d.next)
	}
	return append(all, d.old...)
}

// started tells a new process its orders. It returns nil when it is not wanted any more.
func (d *proxyDesk) started(ev childStarted, now time.Time) *proxyEnd {
	p := d.of(ev.child)
	if p == nil || p.abandoned || slices.Contains(d.old, p) { // it was being started when that was decided
		ev.conn.Close()
		return nil
	}
	p.conn = ev.conn
	if p.adopted != nil {
		p.told, p.up, p.total, p.listed = true, p.adopted.State.Up, p.adopted.State.Total, p.adopted.State.Listed
		p.clients = p.adopted.Clients
		d.tellLog(p)
		if d.becomeReady(p, now); p.clients.Draining && d.drainAt.IsZero() {
			p.send(&ipc.Resume{})
		}
		return p
	}
	start := d.start // as it is now: a reload changes it, and what is sent is read later
	p.send(&start, append([]*os.File{p.progress.file}, d.listeners...)...)
	if d.accessLog != nil {
		d.tellLog(p)
	}
	switch {
	case p != d.now:
	case p.want > 0:
		p.serveBy = now.Add(serveWithin)
	default:
		d.tellServe(p)
	}
	if !d.drainAt.IsZero() {
		p.send(&ipc.Drain{After: max(0, d.drainAt.Sub(now))})
	}
	return p
}

// serveAgain has a proxy that died serve again when it sees as many backends up as before, or
// has had its time for that. Clients wait meanwhile, and would be told that there is none.
func (d *proxyDesk) serveAgain(now time.Time) {
	p := d.now
	if p.conn != nil && !p.serveBy.IsZero() && (p.listed && p.up >= p.want || !now.Before(p.serveBy)) {
		d.tellServe(p)
	}
}

func (d *proxyDesk) tellServe(p *proxyEnd) {
	p.told, p.serveBy = true, time.Time{}
	if d.meeting == nil {
		p.send(&ipc.Serve{})
		return
	}
	p.send(&ipc.Serve{}, d.meeting)
}

func (d *proxyDesk) becomeReady(p *proxyEnd, now time.Time) {
	p.ready = true
	p.progress.restart(now)
}

// send tells the one that serves.
func (d *proxyDesk) send(m ipc.Message) { d.now.send(m) }

// awaitFirst asks the one that serves for the first request that it serves from now on.
func (d *proxyDesk) awaitFirst(group string, epoch uint64) {
	if p := d.now; p.ready && (p.adopted == nil || p.adopted.Build == ipc.Build()) {
		p.send(&ipc.AwaitFirst{Group: group, Epoch: epoch})
	}
}

// drain makes the connections of all proxies end with their next answers from then on;
// also of one that is started meanwhile. The number that is left is in left.
func (d *proxyDesk) drain(now time.Time, after time.Duration) {
	d.drainAt = now.Add(after)
	for _, p := range d.all() {
		p.send(&ipc.Drain{After: after})
	}
}

// resume undoes drain.
func (d *proxyDesk) resume() {
	d.drainAt = time.Time{}
	for _, p := range d.all() {
		p.send(&ipc.Resume{})
	}
}

// close gives back what the desk has of the host's.
func (d *proxyDesk) close() error {
	closeFiles(d.listeners)
	var errs []error
	if d.now != nil {
		for _, p := range d.all() {
			errs = append(errs, p.progress.close())
		}
	}
	return errors.Join(errs...)
}

// left is the number of connections from clients, over all proxies.
func (d *proxyDesk) left() (n ipc.Clients) {
	for _, p := range d.all() {
		n.Total += p.clients.Total
		n.InFlight += p.clients.InFlight
		n.Tunnels += p.clients.Tunnels
	}
	n.Draining = !d.drainAt.IsZero()
	return n
}

// count notes how many connections a proxy has.
func (d *proxyDesk) count(p *proxyEnd, n ipc.Clients, now time.Time) {
	p.clients = n
	if n.Draining && (n.Total == 0 || now.Sub(d.saidLeft) >= leftInterval) {
		d.saidLeft = now
		d.log.Info("draining", "proxy", p.child.pid.Load(), "connections_left", n.Total, "in_flight", n.InFlight, "tunnels", n.Tunnels)
	}
}

// look returns why the proxy does not serve, "" when it does, and whether that is news.
func (d *proxyDesk) look(now time.Time) (reason string, changed bool) {
	switch {
	case !d.now.ready && d.now.died:
		reason = "the proxy has ended, and another one is starting"
	case !d.now.ready:
		reason = "the proxy is starting"
	default:
		loop, _, stuck := d.now.progress.stuck(now, d.restless.limit(now, d.timeout))
		d.restless.saw(now, stuck)
		if stuck {
			reason = "loop " + strconv.Itoa(loop) + " of the proxy stands still"
		}
		if d.stuck.hopeless(now, stuck, d.timeout) && d.now.conn != nil {
			d.log.Error("the proxy does not recover; killing it", "pid", d.now.child.pid.Load(), "reason", reason)
			d.now.conn.Close()
		}
	}
	changed = reason != d.lastReason
	d.lastReason = reason
	return reason, changed
}

// fitness is how well this node could serve, for what the proxy says (E10): half of it for
// one that runs, half for the share of the backends that it sees up.
func (d *proxyDesk) fitness() (value uint8) {
	if d.now.ready {
		value = 128
		if d.now.total > 0 {
			value += uint8(127 * d.now.up / d.now.total)
		}
	}
	return value
}

// states describes the processes for status.
func (d *proxyDesk) states() (out []ipc.Process) {
	for _, p := range d.all() {
		s := p.child.state()
		switch {
		case p == d.now:
			s.Doing = doingServe
		case p == d.next:
			s.Doing = doingWarm
		default:
			s.Doing = doingDrain
		}
		s.Clients = p.clients.Total
		out = append(out, s)
	}
	return out
}
