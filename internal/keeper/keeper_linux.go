package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/vip"
)

const (
	// proxyGrace is how long the proxy may finish requests after the VIP has gone.
	proxyGrace = 5 * time.Second
	// controlGrace bounds leaving the cluster.
	controlGrace = 3 * time.Second
)

// ErrRunning says that another tandem lb of the same cluster runs on this host.
var ErrRunning = errors.New("another tandem lb runs here")

// Keeper is one balancer's parent process.
type Keeper struct {
	cfg     *config.Config
	log     *slog.Logger
	admin   *net.UnixListener
	loop    *loop
	channel *channel
	found   *found // a living proxy of an earlier keeper; nil: there is none
	closers []func() error

	reloadAsked <-chan os.Signal
	logsAsked   <-chan os.Signal
}

// New takes everything that can be refused, so that a fault shows before anything has
// changed on the host: the lock, the listening sockets, the interface of each VIP. It
// starts nothing. Run or Close must follow. level is that of log, and follows the
// configuration.
func New(cfg *config.Config, version string, level *slog.LevelVar, log *slog.Logger) (_ *Keeper, err error) {
	k := &Keeper{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if err := k.takeLock(); err != nil {
		return nil, err
	}
	k.findProxy()
	if err := k.listenAdmin(); err != nil {
		return nil, err
	}
	warnOf(k.log, cfg)
	return k, k.build(version, level)
}

// build makes the loop and all it works with.
func (k *Keeper) build(version string, level *slog.LevelVar) error {
	cfg, now := k.cfg, time.Now()
	level.Set(cfg.Log.Level)
	l := &loop{
		log:     k.log,
		events:  make(chan event, eventQueue),
		serving: newServingState(cfg.Cluster.AdvertInterval),
		learned: make(map[netip.AddrPort]contact),
		orders:  make(map[uint64]*order),
		boots:   make(map[string]uint64),
		reloads: reloader{version: version, level: level, cfg: cfg},
		set: settings{
			node: cfg.Node.Name, boot: newBoot(), port: cfg.Cluster.AdvertPort, interval: cfg.Cluster.AdvertInterval, since: now,
		},
	}
	l.tracks = newTrackDesk(l.set.node, k.log)
	l.chronicle.boot = l.set.boot
	k.loop = l
	for _, gc := range groupConfigs(cfg) {
		gc.vip.Adopt = k.found != nil // its connections need the address
		g, err := openGroup(gc, l.set.boot, now, k.log)
		if err != nil {
			return err
		}
		k.closers = append(k.closers, g.close)
		if k.found != nil {
			g.inherited = new(inherited)
			g.trace.life = "the keeper before this one has ended and left its proxy, which serves on"
		}
		l.groups = append(l.groups, g)
		l.serving.beats = append(l.serving.beats, g.claimer.Beat)
	}
	if len(l.groups) > 0 {
		l.set.addr = l.groups[0].ifi.Addr.Addr()
	}
	l.set.seeds = seedAdverts(cfg.Cluster.Join, cfg.Cluster.AdvertPort, l.set.addr)

	var err error
	if l.trust, err = newTrust(l.set.node, l.set.boot, cfg.Cluster.BalancerKeys); err != nil {
		return err
	}
	if l.adverts, err = openAdverts(l.set, l.trust); err != nil {
		return err
	}
	k.closers = append(k.closers, l.adverts.conn.Close)
	if err := k.joinHello(); err != nil {
		return err
	}
	if k.channel, err = openChannel(l.set.node, l.set.boot, cfg.Cluster.AdvertPort, cfg.Cluster.BalancerKeys, k.log); err != nil {
		return err
	}
	k.closers = append(k.closers, k.channel.listener.Close)
	if l.sender, err = newSender(l.adverts, l.set.interval, l.serving.serving, k.log); err != nil {
		return err
	}
	l.adverts.answer = l.sender.answer
	l.pauses.limit = election.PauseAfter(l.set.interval)
	k.openSystemd()
	if err := k.buildProxy(cfg.Log.Level); err != nil {
		return err
	}
	return k.buildControl(version, cfg.Log.Level)
}

// joinHello listens for peers on the segment of the first IPv4 VIP; elsewhere they need to
// be named, or known by gossip.
func (k *Keeper) joinHello() error {
	for _, g := range k.loop.groups {
		if g.ifi.Addr.Addr().Is4() {
			return k.loop.adverts.joinHello(g.ifi.Name)
		}
	}
	return nil
}

func (k *Keeper) buildControl(version string, level slog.Level) error {
	admin, err := k.admin.File()
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	k.closers = append(k.closers, admin.Close)
	files := []*os.File{admin}
	state, err := openState(k.cfg.Control.StateDir)
	if err != nil {
		return err
	}
	for _, f := range state {
		k.closers = append(k.closers, f.Close)
		files = append(files, f)
	}
	if addr := k.cfg.Control.Status; addr.Port() != 0 {
		f, err := listenStatus(addr)
		if err != nil {
			return err
		}
		k.closers = append(k.closers, f.Close)
		files = append(files, f)
	}
	runners, err := newRunners(runnerStarts(k.cfg, 0), k.cfg, k.log)
	if err != nil {
		return err
	}
	k.loop.control = &controlDesk{
		desk:    desk{child: newChild(controlName, controlUID, k.log), log: k.log},
		start:   controlStart(k.cfg, version, int(level)),
		runners: runners,
		files:   files,
	}
	return nil
}

func newChild(name string, uid uint32, log *slog.Logger) *child {
	return &child{name: name, who: identityFor(name, uid), log: log, verdict: make(chan bool, 1)}
}

// Run is the balancer's life. It ends when ctx does: the VIPs are released, the peer is
// told, and the children stop in good order. A value or close of force cuts that short.
func (k *Keeper) Run(ctx context.Context, force <-chan struct{}) error {
	defer k.Close()
	spare()
	if err := hurry(); err != nil {
		k.log.Info("adverts may be late on a busy machine: there is no real-time priority; CAP_SYS_NICE or RLIMIT_RTPRIO grants it", "err", err)
	}
	l := k.loop
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, work := errgroup.WithContext(work)

	emit := func(ev event) {
		select {
		case l.events <- ev:
		case <-work.Done():
		}
	}
	k.channel.emit, l.emit = emit, emit
	k.channel.introduce, k.channel.beside, l.channel = l.introduce, l.heardBeside, k.channel
	l.beside = func(f func(context.Context)) {
		g.Go(func() error {
			bound, cancel := context.WithTimeout(work, actionTimeout)
			defer cancel()
			f(bound)
			return nil
		})
	}
	l.follow = func(peers map[netip.AddrPort]string) { k.channel.follow(work, g, peers) }
	l.proxy.run = func(c *child) {
		g.Go(func() error { return c.run(work, force, emit, proxyGrace) })
	}
	l.tracks.emit = emit
	l.tracks.run = func(f func(context.Context)) {
		g.Go(func() error { f(work); return nil })
	}
	l.tracks.set(k.cfg.Tracks)
	for _, gr := range l.groups {
		gr.cleanTables()
	}
	l.begin()

	g.Go(func() error { return l.adverts.run(work, emit) })
	g.Go(func() error { return l.sender.run(work) })
	g.Go(func() error { return l.hello(work) })
	g.Go(func() error { return k.channel.run(work) })
	g.Go(func() error { return k.listenForReloads(work) })
	g.Go(func() error { return k.listenForLogs(work) })
	for _, gr := range l.groups {
		g.Go(func() error { return gr.run(work, l.adverts, k.channel, emit) })
	}
	g.Go(func() error { return l.control.child.run(work, force, emit, controlGrace) })
	l.control.run = func(c *child) {
		g.Go(func() error { return c.run(work, force, emit, runnerGrace) })
	}
	for _, r := range l.control.runners {
		l.control.run(r.child)
	}
	l.proxy.run(l.proxy.now.child)
	g.Go(func() error {
		defer stop()
		err := l.run(ctx, force, work.Done())
		l.sender.flush(10 * l.set.interval)
		return err
	})
	k.log.Info("balancer started", "node", l.set.node, "pid", os.Getpid())
	if !l.trust.keyed {
		k.log.Warn("adverts are unauthenticated: whoever reaches their port can move the VIP; balancer_key_file ends that", "port", k.cfg.Cluster.AdvertPort)
	}
	err := g.Wait()
	k.forgetMeeting()
	k.log.Info("balancer ended", "node", l.set.node)
	return err
}

// Close gives back what New took; the VIPs are released if they are held. It may be
// called twice.
func (k *Keeper) Close() error {
	var errs []error
	for i := len(k.closers) - 1; i >= 0; i-- {
		if err := k.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	k.closers = nil
	return errors.Join(errs...)
}

// takeLock makes sure that no second keeper with the same admin socket harms the first
// (E11): it would take its VIP and its ports.
func (k *Keeper) takeLock() error {
	f, err := lock(k.cfg.Control.Socket)
	if err != nil {
		return err
	}
	k.closers = append(k.closers, f.Close)
	return nil
}

// lock takes the lock that a keeper with this admin socket holds for life.
func lock(socket string) (*os.File, error) {
	path := socket + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("admin socket: %w; name another place with --socket", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; name another place with --socket", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w (it holds %s); stop it first, or give this one its own --socket", ErrRunning, path)
	}
	return f, nil
}

// ReleaseAll clears a host of what a killed keeper left: the tables that keep the kernel
// silent, and those of these VIPs that are on an interface. It says what it did, and is
// ErrRunning while a keeper with this admin socket runs.
func ReleaseAll(ctx context.Context, socket string, vips ...netip.Addr) (did []string, err error) {
	f, err := lock(socket)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return vip.ReleaseAll(ctx, vips...)
}

// listenAdmin makes the admin socket for the control process, which has no rights to.
func (k *Keeper) listenAdmin() error {
	path := k.cfg.Control.Socket
	// The lock is ours, so a socket that lies there is of a keeper that was killed.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("admin socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	k.admin = l
	k.closers = append(k.closers, l.Close)
	if err := os.Chmod(path, 0o660); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	return nil
}
