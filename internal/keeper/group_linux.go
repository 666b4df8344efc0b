package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/vip"
)

const (
	// actionTimeout bounds one claim, release or probe. The kernel takes well under a
	// millisecond for the first two; a probe takes vip.ProbeTime.
	actionTimeout = 2 * time.Second
	// workQueue bounds the actions that wait for the one under way; a machine asks for
	// three at most.
	workQueue = 16
	// gateLimit is how old the loop's stamp may be for the node to speak for the VIP. E3 says
	// half the active-down interval; but an answer withheld costs a client a second, and a
	// busy machine keeps the loop waiting for that long. The same holds for a question's age;
	// the stamp is what fences.
	gateLimit = 100 * time.Millisecond
)

// group is one VIP group: its machine, owned by the loop, and its claimer, used by hands.
type group struct {
	name    string
	machine *election.Machine
	claimer *vip.Claimer
	ifi     vip.Interface
	link    vip.Link
	wire    vip.Wire
	muter   vip.Muter
	gate    *vip.Gate    // asked before each frame that speaks for the VIPs
	asking  *net.UDPConn // of queries on the wire (E4)
	segment segment
	trace   trace   // what led to the next change of state
	entered entered // how often each state was, and why
	log     *slog.Logger

	bound     time.Duration                    // of one action
	work      chan func(context.Context) event // slow actions, in order; nil event: no answer
	cycle     cycle                            // a fault that comes again and again
	ended     bool                             // the machine has ended
	downAt    time.Time                        // since when the interface has no carrier; zero: it has one
	reclaimAt time.Time                        // when to claim again what was lost while active; zero: no need
	inherited *inherited                       // VIPs that an earlier keeper left; nil: there are none

	forwardsTo string // the node that the last table was for
	tester     *tester
	clients    *clients                         // its own, and the peers'
	forward    *forwarder                       // used by forwards alone
	tables     chan func(context.Context) event // changes of it, in order, beside those in work
	wheres     map[peerKey]*where               // of peers: where to forward to
	moved      bool                             // by a program
	toldLossy  *string                          // why a handover would break connections, as the machine knows it
	draining   bool                             // the machine wants the connections to end
}

// Events of a group.
type (
	answered struct {
		g  *group
		ev election.Event
	}
	claimerNews struct {
		g  *group
		ev vip.Event
	}
)

// openGroup finds the interface, opens its sockets and makes machine and claimer.
func openGroup(cfg groupConfig, boot uint64, now time.Time, log *slog.Logger) (*group, error) {
	g := &group{
		bound: actionTimeout,
		name:  cfg.name, log: log.With("group", cfg.name), work: make(chan func(context.Context) event, workQueue),
		segment: segment{asked: make(map[netip.Addr]time.Time), macs: make(map[netip.Addr]net.HardwareAddr)},
	}
	var err error
	if g.ifi, err = vip.Find(cfg.vip.Addrs[0], cfg.iface); err != nil {
		return nil, err
	}
	g.moved, g.wheres, g.tables = cfg.hook != nil, make(map[peerKey]*where), make(chan func(context.Context) event, workQueue)
	g.forward = &forwarder{group: g.name, device: g.ifi.Name, own: g.ifi.Own, vips: cfg.vip.Addrs}
	if g.link, err = vip.OpenLink(g.ifi); err != nil {
		return nil, err
	}
	if g.wire, err = vip.OpenWire(g.ifi); err != nil {
		return nil, errors.Join(err, g.link.Close())
	}
	if cfg.hook != nil {
		g.bound += cfg.hookTimeout
		cfg.vip.Mover = newMover(cfg, g.ifi, g.log)
	}
	if err := g.openClaimer(cfg); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.clients, g.tester = newClients(g, cfg.vip.Addrs), newTester(g, cfg.vip.Addrs)
	cfg.election.Boot, cfg.election.Addr = boot, g.ifi.Addr.Addr()
	if cfg.hook != nil {
		cfg.election.AnswerTimeout = g.bound + time.Second
	}
	if g.machine, err = election.New(cfg.election, now); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// openClaimer makes the claimer, its gate and what keeps the kernel silent about its VIPs.
func (g *group) openClaimer(cfg groupConfig) error {
	var err error
	if g.muter, err = vip.OpenMuter(g.ifi, cfg.name, cfg.vip.Addrs...); err != nil {
		return err
	}
	if g.asking, err = openWirePath(g.ifi.Name); err != nil {
		return err
	}
	interval := cfg.election.AdvertInterval
	g.gate = vip.NewGate(max(2*interval, gateLimit), max(interval, gateLimit))
	cfg.vip.Muter, cfg.vip.Gate = g.muter, g.gate.Allow
	g.claimer, err = vip.NewClaimer(cfg.vip, g.link, g.wire, g.log)
	return err
}

// run keeps the claimer, does the slow actions and passes the claimer's news and answers of
// the wire path on, until ctx ends. emit delivers to the loop.
func (g *group) run(ctx context.Context, s *advertSocket, ch *channel, emit func(event)) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		if err := g.claimer.Run(ctx); err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
		return nil
	})
	eg.Go(func() error {
		for ev := range g.claimer.Events() {
			emit(claimerNews{g, ev})
		}
		return nil
	})
	eg.Go(func() error { return g.hands(ctx, emit) })
	eg.Go(func() error { return g.forwards(ctx, emit) })
	eg.Go(func() error { return g.clients.tell(ctx, ch) })
	eg.Go(func() error { return g.clients.fire(ctx) })
	if !g.moved { // else nothing is ever forwarded
		eg.Go(func() error { return g.tester.run(ctx, ch, emit) })
		eg.Go(func() error { return g.tester.reflect(ctx, ch) })
	}
	eg.Go(func() error { return g.hearWire(ctx, s, emit) })
	return eg.Wait()
}

// hands does the slow actions one after the other.
func (g *group) hands(ctx context.Context, emit func(event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case action := <-g.work:
			bound, cancel := context.WithTimeout(ctx, g.bound)
			ev := action(bound)
			cancel()
			if ev != nil {
				emit(ev)
			}
		}
	}
}

// setGate shuts the gate while the machine is fenced or the port is down, and only then. It
// is set from the machine's state, BEFORE the actions of a step: a fence that went with the
// VIP it was for, when a conflict was lost, must not stand in the way of the next claim.
func (g *group) setGate() {
	if g.machine.Fenced() || !g.downAt.IsZero() {
		g.gate.Shut()
	} else {
		g.gate.Open()
	}
}

// do starts an action of the machine that is not the loop's own. It never blocks.
func (g *group) do(a election.Action) { g.enqueue(g.act(a), fmt.Sprintf("%T", a)) }

// reclaim puts back VIPs whose lease ran out under a machine that is active all the same.
func (g *group) reclaim() {
	g.enqueue(func(ctx context.Context) event {
		if err := g.claimer.Claim(ctx); err != nil {
			g.log.Error("claiming again failed", "err", err)
		}
		return nil
	}, "reclaim")
}

func (g *group) enqueue(action func(context.Context) event, what string) {
	select {
	case g.work <- action:
	default:
		// The machine does without an answer after its AnswerTimeout.
		g.log.Error("too many actions wait; this one is dropped", "action", what)
	}
}

func (g *group) act(a election.Action) func(context.Context) event {
	return func(ctx context.Context) event {
		switch a := a.(type) {
		case election.Probe:
			owner, err := g.claimer.Probe(ctx)
			mac := ""
			if owner != nil {
				mac = owner.String()
			}
			return answered{g, election.Probed{Token: a.Token, Owner: mac, Err: err}}
		case election.Claim:
			return answered{g, election.Claimed{Token: a.Token, Err: g.claimer.Claim(ctx)}}
		case election.Release:
			return answered{g, election.Released{Token: a.Token, Err: g.claimer.Release(ctx)}}
		case election.Announce:
			if err := g.claimer.Announce(ctx); err != nil && !errors.Is(err, vip.ErrNotClaimed) {
				g.log.Warn("announcement failed", "err", err)
			}
			return announced{g, time.Now()}
		}
		return nil
	}
}

// close lets go of the VIPs, whatever the state, lets the kernel speak for them again, and
// closes the sockets.
func (g *group) close() error {
	var errs []error
	if g.claimer != nil {
		bound, cancel := context.WithTimeout(context.Background(), g.bound)
		defer cancel()
		errs = append(errs, g.claimer.Release(bound), g.claimer.Unmute(bound))
	}
	if g.muter != nil {
		errs = append(errs, g.muter.Close())
	}
	if g.asking != nil {
		errs = append(errs, g.asking.Close())
	}
	return errors.Join(append(errs, g.wire.Close(), g.link.Close())...)
}
