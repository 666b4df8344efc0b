package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/mdlayher/sdnotify"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

const (
	// eventQueue bounds the events that wait for the loop; whoever finds it full waits,
	// and the kernel's buffers behind him fill up and drop, which adverts can bear.
	eventQueue = 1024
	// endTimeout bounds the orderly end of all machines: a release takes well under a
	// millisecond, the yield adverts after it a few intervals.
	endTimeout = 3 * time.Second
	// stateInterval is the heartbeat of the state that control shows.
	stateInterval = time.Second
	// lookInterval is how often the loop comes round at least: to see whether the proxy goes
	// on, and to prove that it does itself.
	lookInterval = 50 * time.Millisecond
	// reclaimAfter is how long an active whose lease ran out listens before it claims
	// again, in advert intervals: the longest active-down interval of a pair.
	reclaimAfter = 5
	// reclaimAgain is the pause after a claim of that kind that failed.
	reclaimAgain = time.Second
)

// event is anything that the loop is told: heardAdvert, answered, claimerNews,
// childStarted, childMessage, childEnded, queryAnswer, agreed, complained, gatewaysFound, peerMAC, peerLinked,
// peerSaid, tested, announced, reloadAsked, logsAsked, logOpened, configLoaded, socketsOpened or peerGone.
type event any

// loop owns the machines. It never blocks and never makes a slow call.
type loop struct {
	set       settings
	groups    []*group
	adverts   *advertSocket
	trust     *trust
	channel   *channel
	orders    map[uint64]*order // of operators, that are not done
	boots     map[string]uint64 // of peers, as their last adverts said; at most maxPeers
	asked     questions         // of this node to others
	filter    election.Filter   // lets each advert through once and in order
	sender    *sender
	serving   *servingState
	proxy     *proxyDesk
	tracks    *trackDesk
	fitness   uint8 // as the machines know it
	control   *controlDesk
	reloads   reloader
	systemd   *sdnotify.Notifier // nil: nobody waits for notices
	notices   notices
	stopping  bool // it was asked to end
	events    chan event
	chronicle chronicle
	log       *slog.Logger

	pauses pauses
	emit   func(event)                           // for what runs beside the loop
	beside func(func(context.Context))           // runs something short beside the loop, within its life
	follow func(peers map[netip.AddrPort]string) // keeps the state channels to these

	notServing string    // why this node does not serve, as the machines know it
	maintSince time.Time // since when this node is in maintenance; zero: it is not
	seedsTried bool
	gossiped   []ipc.Balancer             // that gossip knows
	learned    map[netip.AddrPort]contact // where adverts came from
	spoke      bool                       // a Send is due when the events at hand are done
	changed    bool                       // control has not seen the newest state
	reported   time.Time                  // when it last did
}

// run handles events until ctx ends, then shuts the machines down and returns when they
// have ended, or at the second request.
func (l *loop) run(ctx context.Context, force <-chan struct{}, broken <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	asked := ctx.Done()
	var bound <-chan time.Time
	for {
		now := time.Now()
		wait := max(0, l.deadline(now).Sub(now))
		timer.Reset(wait)
		l.pauses.waiting(wait)
		select {
		case <-broken: // another part of the keeper has failed
			return nil
		case ev := <-l.events:
			l.afterPause()
			switch ev.(type) {
			case answered, peerGone:
				// An action may have taken long, and who is gone may have said something
				// before: what has been heard since comes first (E7, E14).
				l.catchUp()
			}
			l.handle(ev)
			l.drain()
		case <-timer.C:
			l.afterPause()
			l.catchUp() // what has arrived comes before what the clock says (E13)
			l.tick(time.Now())
		case <-asked:
			l.stopping = true
			asked, bound = nil, time.After(l.endBound())
			l.stepAll(election.Shutdown{})
		case <-force:
			l.stepAll(election.Shutdown{})
			return nil
		case <-bound:
			l.log.Warn("the election did not end in time", "bound", l.endBound())
			return nil
		}
		l.settle(time.Now())
		if asked == nil && l.allEnded() {
			return nil
		}
	}
}

// begin tells the machines, BEFORE their first tick, what they would otherwise take for
// granted, and the sender where the seeds are.
func (l *loop) begin() {
	l.notServing = "the proxy is starting"
	l.stepAll(election.Serving{OK: false, Reason: l.notServing})
	l.cluster(&ipc.Cluster{})
}

// afterPause handles what a pause of this process means, BEFORE anything else: the others
// may have acted meanwhile, and what they said since is still to be read (E14).
func (l *loop) afterPause() {
	late := l.pauses.overslept()
	if late == 0 {
		return
	}
	l.log.Debug("this process was paused", "for", late)
	l.stepAll(election.Paused{For: late})
	l.catchUp()
}

// catchUp handles all that has arrived: first what the reader of adverts has queued, then
// what still waits in the socket.
func (l *loop) catchUp() {
	l.drain()
	l.adverts.pending(l.handle)
	for _, g := range l.groups {
		l.lookAround(g, time.Now())
	}
}

// drain handles what else is there, so that a burst is one decision about sending.
func (l *loop) drain() {
	for range eventQueue {
		select {
		case ev := <-l.events:
			l.handle(ev)
		default:
			return
		}
	}
}

// deadline is when the loop must come round next, at the latest: for a machine, to prove
// that it does (its stamp), or to report.
func (l *loop) deadline(now time.Time) time.Time {
	next := now.Add(lookInterval)
	if report := l.reported.Add(stateInterval); report.Before(next) {
		next = report
	}
	for _, g := range l.groups {
		for _, d := range []time.Time{g.machine.Deadline(), g.reclaimAt} {
			if !d.IsZero() && d.Before(next) {
				next = d
			}
		}
	}
	return next
}

func (l *loop) handle(ev event) {
	switch ev := ev.(type) {
	case heardAdvert:
		l.heard(ev)
	case answered:
		l.step(ev.g, ev.ev)
	case claimerNews:
		l.news(ev.g, ev.ev)
	case childStarted:
		l.childStarted(ev)
	case childMessage:
		l.childMessage(ev)
	case childEnded:
		l.childEnded(ev)
	case trackRan:
		l.changed = l.tracks.ran(time.Now(), ev) || l.changed
	case queryAnswer:
		l.answered(ev)
	case agreed:
		l.agreed(ev)
	case complained:
		l.complained(ev)
	case gatewaysFound:
		ev.g.segment.gateways = ev.addrs
	case peerMAC:
		l.learnMAC(ev)
	case peerLinked:
		l.linked(ev)
	case peerSaid:
		l.said(ev)
	case tested:
		l.changed = true
		l.step(ev.g, election.Lossless{To: ev.node, OK: ev.why == "", Reason: ev.why})
	case announced:
		l.announced(ev)
	case reloadAsked:
		l.askReload(0, false)
	case logsAsked:
		l.reopenLog()
	case logOpened:
		l.logOpened(ev)
	case configLoaded:
		l.loaded(ev)
	case socketsOpened:
		l.opened(ev)
	case peerGone:
		l.stepAll(election.Gone{Node: ev.node, Boot: ev.boot})
	}
}

func (l *loop) heard(h heardAdvert) {
	if err := l.filter.Accept(&h.a); err != nil {
		l.adverts.refuse(err)
		return
	}
	l.learn(h.from, h.a.Node, time.Now())
	if known := l.boots[h.a.Node]; known != h.a.Boot && (known != 0 || len(l.boots) < maxPeers) {
		l.boots[h.a.Node] = h.a.Boot
		l.channel.renew(h.a.Node, h.a.Boot)
	}
	for _, g := range l.groups {
		if ev, ok := h.a.Heard(g.name); ok {
			l.step(g, ev)
		}
	}
}

// news is what the claimer found out about the VIPs.
func (l *loop) news(g *group, ev vip.Event) {
	l.changed = true
	g.log.Warn("vip "+ev.Kind.String(), "vip", ev.Addr, "by", ev.By.String(), "count", ev.Count)
	switch ev.Kind {
	case vip.Conflict:
		if !ev.Peer {
			l.step(g, election.Conflict{MAC: ev.By.String()})
		}
	case vip.LinkDown:
		g.downAt = ev.At
		g.trace.signal(ev.At, "the interface "+g.ifi.Name+" lost its carrier")
		g.setGate()
	case vip.LinkUp:
		// Whoever could not hear for a while is like one who was paused: it finds out what
		// happened meanwhile before it speaks for the VIP again (E14).
		down := time.Since(g.downAt)
		g.downAt = time.Time{}
		g.trace.signal(time.Now(), fmt.Sprintf("the interface %s had no carrier for %v", g.ifi.Name, down.Round(time.Millisecond)))
		l.carryOut(g, g.machine.Step(time.Now(), election.Paused{For: down}))
		g.reclaimAt = time.Now()
		l.reconnected(g)
		g.tester.anew()
	}
}

// keepHeld looks after an active whose VIPs are gone: this process was paused for longer
// than the lease, or the kernel refused to renew it. If a peer has taken them meanwhile,
// its adverts say so within one active-down interval; else they are claimed again.
func (l *loop) keepHeld(g *group, now time.Time) {
	switch {
	case g.machine.State() != election.Active || g.claimer.Status().Held:
		g.reclaimAt = time.Time{}
	case g.reclaimAt.IsZero():
		g.reclaimAt = now.Add(reclaimAfter * l.set.interval)
	case !g.reclaimAt.After(now):
		g.reclaimAt = now.Add(reclaimAgain)
		g.reclaim()
	}
}

// tick lets time pass in every machine that wants it to.
func (l *loop) tick(now time.Time) {
	for _, g := range l.groups {
		if d := g.machine.Deadline(); !d.IsZero() && !d.After(now) {
			l.carryOut(g, g.machine.Tick(now))
		}
	}
}

func (l *loop) step(g *group, ev election.Event) {
	now := time.Now()
	g.trace.saw(ev, now)
	l.carryOut(g, g.machine.Step(now, ev))
}

func (l *loop) stepAll(ev election.Event) {
	for _, g := range l.groups {
		l.step(g, ev)
	}
}

// carryOut starts the actions of one Step or Tick, in order.
func (l *loop) carryOut(g *group, actions []election.Action) {
	g.setGate()
	g.segment.newSilence(actions)
	for _, a := range actions {
		g.trace.did(a, g.machine, time.Now())
		switch a := a.(type) {
		case election.Send:
			l.spoke = true
		case election.Query:
			l.query(g, a)
		case election.Solicit:
			l.solicit(g, a)
		case election.Fence, election.Unfence: // setGate has seen to it
		case election.Changed:
			l.changed = true
			// One that drains has connections still.
			g.clients.holds.Store(a.To == election.Active || a.To == election.Draining)
			if a.To == election.Active {
				l.tookOver(g, a.Reason)
				l.proxy.awaitFirst(g.name, a.Epoch)
			}
			g.ended = a.To == election.Init
			now := time.Now()
			level := g.cycle.level(a, now)
			if level > slog.LevelDebug { // what comes again and again would drive all else out of the timeline
				l.record(g, a, now)
			}
			g.log.Log(context.Background(), level, "state changed", "from", a.From.String(), "to", a.To.String(), "reason", a.Reason.String(), "epoch", a.Epoch)
		default:
			if l.spoke { // the peers hear of a claim before it is made
				l.say()
			}
			if !l.actHandover(g, a) {
				g.do(a)
			}
		}
	}
}
