package control

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// refreshInterval is how often the members are looked at without an event: a member that
// is only suspected causes none, and the page should show it.
const refreshInterval = time.Second

// inheritTime is how long a new control process trusts the proxy about apps that gossip
// has not spoken of. Every agent rejoins within seconds; after this it is gone.
const inheritTime = 30 * time.Second

// Process is the control process.
type Process struct {
	log     *slog.Logger
	level   *slog.LevelVar
	keeper  *ipc.Conn
	started chan startOrder
	stopped chan *ipc.Stop // told to stop; closed when the keeper is gone
	links   chan linkEnd
	queries chan *ipc.RelayQuery

	happened chan func() // what the timeline takes in, in order
	timeline *timeline.Log
	lost     atomic.Uint64    // entries that were not written
	seen     *ipc.KeeperState // by the timeline
	programs *programs

	start   *ipc.ControlStart // as it began; what a reload can change is in now
	now     atomic.Pointer[ipc.ControlStart]
	joining atomic.Bool // the cluster is there, for the keeper's messages
	cluster *membership.Cluster
	views   *views
	errands *errands
	history history
	news    chan struct{} // the keeper has reported something
	refused complaints    // follow owns it, and the next one
	differs difference
	reloads reloads // keepTimeline counts, under mu
	began   time.Time
	nudge   chan struct{} // lists must be computed anew: a new proxy waits for its own, or there are other orders
	joined  chan struct{} // another balancer is there, and has to be told what was set by hand
	changed chan struct{} // what this balancer announces of itself has changed

	mu      sync.Mutex // protects what follows
	pic     picture
	listed  *ipc.Pools                   // who is in the pools, without what a reload under way brings
	settled bool                         // every seed has been tried
	proxies []*proxyLink                 // the proxies, in the order in which they first reported
	asked   map[uint64]chan *ipc.Outcome // orders that the keeper has not answered yet
	order   uint64                       // ID of the last of them
	prepare *ipc.Prepare                 // the reload under way; nil: there is none
	known   *ipc.Pools                   // every pool's whole list, before hands; nil: not computed yet
	hands   hands                        // what operators have set
	outside []api.Outside                // apps that are in no pool

	handsFile *os.File // keeps them; nil: nothing does
}

// maxHappened bounds what waits to be written into the timeline.
const maxHappened = 256

// proxyLink is one proxy process. There is more than one while the keeper replaces it.
type proxyLink struct {
	conn  *ipc.Conn
	state *ipc.ProxyState // what it reported last
	pools *ipc.Pools      // what it was told last; nil: nothing yet
	noted *ipc.ProxyState // what the timeline knows of it
	late  reports
}

// linkEnd is this process's end of a pair with another.
type linkEnd struct {
	file   *os.File
	runner string // whose runner the other is; empty: a proxy
}

type startOrder struct {
	m     *ipc.ControlStart
	files []*os.File
}

// Run is the control process's life: orders come over f, the end of a socketpair whose
// other end the keeper has. It returns nil when it was told to stop or the keeper is gone,
// and an error when it could not do its work; then the keeper starts another. level
// follows the keeper's.
func Run(f *os.File, level *slog.LevelVar, log *slog.Logger) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	conn, err := ipc.New(f)
	if err != nil {
		return err
	}
	p := &Process{
		log: log, level: level, keeper: conn,
		started: make(chan startOrder, 1), stopped: make(chan *ipc.Stop, 1), links: make(chan linkEnd, 16),
		queries: make(chan *ipc.RelayQuery, maxQueries), happened: make(chan func(), maxHappened),
		began: time.Now(), pic: picture{began: time.Now()}, nudge: make(chan struct{}, 1), news: make(chan struct{}, 1), changed: make(chan struct{}, 1), joined: make(chan struct{}, 1), asked: make(map[uint64]chan *ipc.Outcome),
	}
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	go func() {
		defer close(p.stopped)
		conn.Run(ctx, p.fromKeeper)
	}()
	select {
	case o := <-p.started:
		return p.life(ctx, o)
	case <-p.stopped:
		return nil
	}
}

// fromKeeper is called with each of its messages, in order.
func (p *Process) fromKeeper(m ipc.Message, files []*os.File) {
	switch m := m.(type) {
	case *ipc.ControlStart:
		p.started <- startOrder{m, files}
		return
	case *ipc.Link:
		if len(files) == 1 {
			p.links <- linkEnd{files[0], m.Runner}
			return
		}
	case *ipc.Stop:
		select {
		case p.stopped <- m:
		default:
		}
	case *ipc.RelayQuery:
		select {
		case p.queries <- m:
		default: // lost, as any datagram may be
		}
	case *ipc.Outcome:
		p.outcome(m)
	case *ipc.Prepare:
		p.prepareReload(m)
	case *ipc.Commit:
		p.commitReload(m)
	case *ipc.Abort:
		p.abortReload()
	case *ipc.Reloaded:
		p.happens(func() { p.noteReload(m) })
	case *ipc.Transition:
		p.happens(func() { p.transition(m) })
	case *ipc.Served:
		p.happens(func() { p.note(served(m)) })
	case *ipc.KeeperState:
		p.mu.Lock()
		p.pic.keeper, p.pic.keeperAt = m, time.Now()
		p.mu.Unlock()
		p.isNews()
		p.happens(func() { p.noteProcesses(m) })
	}
	for _, f := range files {
		f.Close()
	}
}

// life is: join, serve, leave.
func (p *Process) life(ctx context.Context, o startOrder) error {
	p.start = o.m
	p.now.Store(o.m)
	p.level.Set(slog.Level(o.m.LogLevel))
	opened := make(chan struct{}) // what answers others may be used
	has, err := take(p.start, o.files)
	if err != nil {
		return err
	}
	defer has.close()
	cfg := clusterConfig(p.start)
	cfg.Log, cfg.SnapshotFile, cfg.RingFile, cfg.Answer = p.log, has.members, has.keys, p.answering(opened)
	p.openTimeline(has.timeline)
	p.openHands(has.hands)
	p.programs = newPrograms(p.start, p.log, p.upNow, p.templateData)
	if p.cluster, err = membership.Open(cfg); err != nil {
		return err
	}
	p.views = newViews(p.otherBalancers, p.askStatus)
	p.errands = newErrands(ctx, p.start.Node, func() [][]byte { return p.now.Load().ProvenBy }, p.runErrand)
	close(opened)
	defer p.cluster.Close()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.cluster.Run(ctx) })
	g.Go(func() error {
		return p.server().Serve(ctx, has.admin)
	})
	g.Go(func() error { return p.servePage(ctx, has.page) })
	g.Go(func() error { return p.follow(ctx) })
	g.Go(func() error { return p.speak(ctx) })
	g.Go(func() error { return p.relay(ctx) })
	g.Go(func() error { return p.keepAnnounced(ctx) })
	g.Go(func() error { return p.keepSpreading(ctx) })
	g.Go(func() error { return p.views.run(ctx) })
	g.Go(func() error { return p.keepHistory(ctx) })
	g.Go(func() error { return p.keepTimeline(ctx) })
	g.Go(func() error { return p.programs.run(ctx) })
	g.Go(func() error {
		defer stop()
		return p.untilStopped(ctx)
	})
	return g.Wait()
}

// follow turns events of the cluster into whole lists, until ctx ends.
func (p *Process) follow(ctx context.Context) error {
	wake(p.changed) // beside what follows: a balancer that cannot be reached costs seconds
	p.joining.Store(true)
	if err := p.keeper.Send(&ipc.Ready{}); err != nil {
		return err
	}
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	tried := p.cluster.SeedsTried()
	seedsTried := false
	var pace pace
	for {
		if began := time.Now(); pace.due(began) {
			p.refresh(seedsTried)
			p.noteDifference(began)
			pace.done(began, time.Now())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pace.rested():
			continue
		case <-tick.C:
		case <-p.nudge:
		case <-tried:
			seedsTried, tried = true, nil
		case ev, ok := <-p.cluster.Events(): // membership has logged it
			if !ok {
				return nil
			}
			p.noteMember(ev)
			p.raiseMember(ev)
			if ev.Kind == membership.EventJoin && ev.Member.Meta.Role == membership.RoleBalancer {
				wake(p.joined)
			}
		case m, ok := <-p.cluster.Messages():
			if ok {
				p.heardHands(m)
			}
		case ev, ok := <-p.cluster.UserEvents():
			if ok {
				p.log.Info("user event", "name", ev.Name, "from", ev.From, "bytes", len(ev.Payload))
				p.raise(userEvent(ev))
			}
		}
	}
}

// announceSelf tells the cluster where this balancer's keeper hears adverts, now that the
// address is known.
func (p *Process) announceSelf(ctx context.Context) error {
	meta := p.cluster.Self().Meta
	meta.AdvertAddr = netip.AddrPortFrom(p.cluster.Self().Addr, p.start.AdvertPort)
	meta.Config = p.now.Load().ConfigHash
	if err := p.cluster.SetMeta(ctx, meta); err != nil {
		return fmt.Errorf("announce this balancer: %w", err)
	}
	return nil
}

// refresh computes everything anew from the members and passes it on.
func (p *Process) refresh(seedsTried bool) {
	members := p.cluster.Members()
	now := time.Now()
	p.keeper.Send(&ipc.Cluster{SeedsTried: seedsTried, Balancers: balancers(members)})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pic.members, p.settled = members, seedsTried
	lists, refused := p.lists(members, now)
	for _, r := range p.refused.news(refused, now) {
		p.log.Warn("app not taken into a pool", "app", r.App, "pool", r.Pool, "reason", r.Reason)
	}
	if left := p.refused.leftOut; left > 0 {
		p.log.Warn("more apps were not taken into pools; 'tandem members' shows who announces what", "apps", left)
	}
	p.inherit(lists)
	p.known = lists
	p.outside = outside(members, refused, lists)
	lists = p.hands.apply(lists)
	if p.prepare == nil {
		p.listed = lists
	}
	for _, l := range p.proxies {
		if !reflect.DeepEqual(l.pools, lists) && l.conn.Send(lists) == nil {
			l.pools = lists // else it is tried again with the next look
		}
	}
}

// wellSaid returns what tells whether the newest proxy finds a backend well. p.mu must be held, also while it is used.
func (p *Process) wellSaid() func(id string) bool {
	var up map[string]bool
	return func(id string) bool {
		if up == nil && p.pic.proxy != nil {
			up = make(map[string]bool)
			for _, pool := range p.pic.proxy.Pools {
				for _, b := range pool.Backends {
					if b.State != "down" {
						up[b.ID] = true
					}
				}
			}
		}
		return up[id]
	}
}

// speak speaks with one proxy process after the other, and with the runners, each over the
// pair that the keeper made for it.
func (p *Process) speak(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case l := <-p.links:
				conn, err := ipc.New(l.file)
				if err != nil {
					return fmt.Errorf("link to another process: %w", err)
				}
				g.Go(func() error {
					// Its end is the other's; the keeper starts another.
					if l.runner != "" {
						p.programs.link(ctx, l.runner, conn)
						return nil
					}
					conn.Run(ctx, func(m ipc.Message, files []*os.File) { p.fromProxy(conn, m, files) })
					p.unlink(conn)
					return nil
				})
			}
		}
	})
	return g.Wait()
}

// fromProxy takes in what a proxy reports. The first report of a new one comes at once, and
// only after it is the proxy told anything: so its lists can build on what it has.
func (p *Process) fromProxy(conn *ipc.Conn, m ipc.Message, files []*os.File) {
	for _, f := range files {
		f.Close()
	}
	s, ok := m.(*ipc.ProxyState)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.proxies, func(l *proxyLink) bool { return l.conn == conn })
	if i < 0 {
		i = len(p.proxies)
		p.proxies = append(p.proxies, &proxyLink{conn: conn})
	}
	p.proxies[i].state = s
	live := p.proxies[i].late.add(s, time.Now())
	if i == len(p.proxies)-1 { // the newest is the one that serves, or soon will
		if was := p.proxies[i].noted; was != nil {
			p.happens(func() { p.noteBackends(was, s); p.raiseBackends(was, s) })
		}
		p.proxies[i].noted = s
		p.pic.proxy, p.pic.proxyAt, p.pic.live = s, time.Now(), live
	}
	if p.proxies[i].pools != nil {
		return
	}
	wake(p.nudge)
}

// wake leaves word for whoever waits for it.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// unlink forgets a proxy that has ended.
func (p *Process) unlink(conn *ipc.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxies = slices.DeleteFunc(p.proxies, func(l *proxyLink) bool { return l.conn == conn })
}
