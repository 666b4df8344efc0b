package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// A reload (see ipc/reload.go for what the processes say to each other):
//
//	load ──► diff ──► listen ──► proxy, runners, control prepare ──► proxy is warm ──► commit
//
// All before the commit can fail, and then nothing has changed: not a socket, not a pool, not
// a word in the election. The commit cannot be refused; a process that fails at it is started
// anew, with the new configuration.
const (
	// prepareLimit bounds all of it up to the commit: the proxy waits for the first checks, and
	// programs check templates.
	prepareLimit = 15 * time.Second
	// commitLimit bounds the answers to the commit.
	commitLimit = 5 * time.Second
)

// reloader is the loop's part of it.
type reloader struct {
	load    func() (*config.Config, error) // reads the configuration again; nil: there is no file
	version string
	level   *slog.LevelVar
	cfg     *config.Config // in effect
	now     *reload        // under way; nil: none is
	last    uint64
}

// reload is one reload under way.
type reload struct {
	id      uint64 // between the processes
	order   uint64 // of the operator; 0: a signal
	dry     bool
	cfg     *config.Config
	changes []config.Change
	fresh   map[string][]*os.File // listening sockets opened for it, by Listen
	control ipc.ControlStart
	proxy   ipc.ProxyStart
	log     *os.File        // the access log, if it is another; nil: there is none any more
	runners []*runnerDesk   // of users that had none
	awaited map[*child]bool // runners that are not ready for it
	by      time.Time
	waits   map[string]bool // processes whose answer to the commit has not come
	ready   bool            // control is prepared
	warm    bool            // the proxy is
}

// Events of a reload.
type (
	reloadAsked  struct{}
	configLoaded struct {
		id  uint64
		cfg *config.Config
		err error
	}
	socketsOpened struct {
		id      uint64
		files   map[string][]*os.File
		log     *os.File
		runners []*runnerDesk
		err     error
	}
)

// Reload has the configuration loaded again by load, whenever a value comes from asked, or an
// operator orders it. It is called before Run.
func (k *Keeper) Reload(load func() (*config.Config, error), asked <-chan os.Signal) {
	k.loop.reloads.load, k.reloadAsked = load, asked
}

// listenForReloads passes signals on to the loop.
func (k *Keeper) listenForReloads(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.reloadAsked:
			k.loop.emit(reloadAsked{})
		}
	}
}

// askReload begins a reload.
func (l *loop) askReload(order uint64, dry bool) {
	r := &l.reloads
	switch {
	case r.now != nil:
		l.refuseReload(order, "a reload is under way", "try again when it is done")
		return
	case r.load == nil:
		l.refuseReload(order, "the configuration was given by flags, so there is nothing to load again", "write it into a file and name it with --config; then it can be reloaded")
		return
	}
	r.last++
	r.now = &reload{id: r.last, order: order, dry: dry, by: time.Now().Add(prepareLimit)}
	id := r.last
	l.beside(func(context.Context) {
		cfg, err := r.load()
		l.emit(configLoaded{id, cfg, err})
	})
}

// loaded compares the configuration with the one in effect.
func (l *loop) loaded(ev configLoaded) {
	r := l.reloads.now
	if r == nil || r.id != ev.id {
		return
	}
	if ev.err != nil {
		l.endReload(ev.err.Error(), "nothing has changed; 'tandem check FILE' shows this as well")
		return
	}
	r.cfg = ev.cfg
	r.changes = config.Diff(l.reloads.cfg, r.cfg)
	var fixed []string
	for _, c := range r.changes {
		if !c.Live {
			fixed = append(fixed, c.Key)
		}
	}
	d := l.proxy
	switch {
	case r.dry:
		l.toldReload(dryMessage(r.changes, fixed))
	case len(fixed) > 0:
		l.endReload("this cannot change while the balancer runs: "+strings.Join(fixed, ", "),
			"nothing has changed; take it back, or restart the balancers one after the other, which loses no connection")
	case len(r.changes) == 0:
		l.toldReload("the file says what is in effect already")
	case d.next != nil || d.swap.wanted != "" || !d.now.ready:
		l.endReload("the proxy is being started or replaced", "try again when 'tandem status' shows one that is ready")
	case l.control.conn == nil || !l.control.child.ready.Load():
		l.endReload("the control process is starting", "try again in a moment")
	default:
		warnOf(l.log, r.cfg)
		l.openSockets(r)
	}
}

func dryMessage(changes []config.Change, fixed []string) string {
	switch {
	case len(fixed) > 0:
		return "a reload would be refused: this cannot change while the balancer runs: " + strings.Join(fixed, ", ")
	case len(changes) == 0:
		return "the file says what is in effect already"
	}
	return fmt.Sprintf("a reload would bring %s into effect", count(len(changes), "change"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// openSockets opens what new frontends listen on, beside the loop.
func (l *loop) openSockets(r *reload) {
	loops := l.proxy.start.Loops
	r.control, r.proxy = controlStart(r.cfg, l.reloads.version, int(r.cfg.Log.Level)), proxyStart(r.cfg, loops, int(r.cfg.Log.Level))
	r.control.Programs = r.id
	have := l.proxy.sockets()
	id, frontends, cfg := r.id, r.cfg.Frontends, r.cfg
	starts := l.newUsers(r)
	otherLog := r.proxy.LogFile != l.proxy.start.LogFile
	l.beside(func(context.Context) {
		ev := socketsOpened{id: id, files: make(map[string][]*os.File)}
		for _, f := range frontends {
			listen := listenText(f.Listen)
			if have[listen] != nil || ev.files[listen] != nil {
				continue
			}
			files, err := listenFrontend(f.Listen, loops)
			if err != nil {
				ev.err = errors.Join(ev.err, fmt.Errorf("frontend %s: %w", f.Name, err))
				continue
			}
			ev.files[listen] = files
		}
		if otherLog {
			var err error
			ev.log, err = openAccessLog(r.proxy.LogFile)
			ev.err = errors.Join(ev.err, err)
		}
		var err error
		ev.runners, err = newRunners(starts, cfg, l.log)
		ev.err = errors.Join(ev.err, err)
		l.emit(ev)
	})
}

// opened has the proxy prepare.
func (l *loop) opened(ev socketsOpened) {
	r := l.reloads.now
	if r == nil || r.id != ev.id {
		closeSockets(ev.files)
		ev.log.Close() // which may be nil
		return
	}
	r.fresh, r.log, r.runners = ev.files, ev.log, ev.runners
	var files []*os.File
	for _, f := range r.proxy.Frontends {
		files = append(files, r.fresh[f.Listen]...)
	}
	switch {
	case ev.err != nil:
		l.endReload(ev.err.Error(), "nothing has changed")
	case len(files) > ipc.MaxFiles:
		l.endReload(fmt.Sprintf("%d new listening sockets are more than the %d that can be added at once", len(files), ipc.MaxFiles), "add some of the frontends, reload, and then the others")
	default:
		l.proxy.now.send(&ipc.Prepare{ID: r.id, Proxy: &r.proxy}, files...)
	}
}

// prepared takes in what the proxy or control says of it.
func (l *loop) prepared(who string, m *ipc.Prepared) {
	r := l.reloads.now
	switch {
	case r == nil || r.id != m.ID || r.waits != nil:
	case m.Error != "":
		l.endReload(m.Error, "nothing has changed")
	case who == proxyName:
		l.prepareRunners(r)
	default:
		r.ready = true
		l.commitWhenReady(r)
	}
}

func (l *loop) warm(m *ipc.Warm) {
	if r := l.reloads.now; r != nil && r.id == m.ID {
		r.warm = true
		l.commitWhenReady(r)
	}
}

// commitWhenReady brings it into effect, when nobody can refuse it any more.
func (l *loop) commitWhenReady(r *reload) {
	if !r.ready || !r.warm || r.waits != nil {
		return
	}
	if err := l.trust.setKeys(r.cfg.Cluster.BalancerKeys); err != nil {
		l.endReload(err.Error(), "nothing has changed")
		return
	}
	l.channel.keys.Store(&r.cfg.Cluster.BalancerKeys)
	d := l.proxy
	otherLog := r.proxy.LogFile != d.start.LogFile
	d.adopt(r.proxy, r.fresh)
	if otherLog {
		d.setLog(r.log)
	}
	r.fresh, r.log = nil, nil
	d.timeout, d.drainTime = r.cfg.Proxy.Timeout, r.cfg.Proxy.DrainTime
	l.control.start = r.control
	l.commitRunners(r)
	l.set.seeds = seedAdverts(r.cfg.Cluster.Join, l.set.port, l.set.addr)
	l.refreshPeers(time.Now())
	for _, gc := range groupConfigs(r.cfg) {
		if i := slices.IndexFunc(l.groups, func(g *group) bool { return g.name == gc.name }); i >= 0 {
			l.step(l.groups[i], election.Configured{
				Priority: gc.election.Priority, Preempt: gc.election.Preempt, DrainDeadline: gc.election.DrainDeadline,
			})
		}
	}
	l.tracks.set(r.cfg.Tracks)
	l.reloads.level.Set(r.cfg.Log.Level)
	l.reloads.cfg = r.cfg
	r.waits, r.by = map[string]bool{proxyName: true, controlName: true}, time.Now().Add(commitLimit)
	d.send(&ipc.Commit{ID: r.id})
	l.control.send(&ipc.Commit{ID: r.id})
}

// committed takes in that a process has done it.
func (l *loop) committed(who string, m *ipc.Committed) {
	r := l.reloads.now
	if r == nil || r.id != m.ID || r.waits == nil {
		return
	}
	if m.Error != "" {
		l.log.Error("a process could not take over the new configuration; starting it anew", "process", who, "err", m.Error)
		l.restartChild(who)
	}
	l.didCommit(r, who)
}

// didCommit notes that a process has the new configuration, or begins anew with it.
func (l *loop) didCommit(r *reload, who string) {
	delete(r.waits, who)
	if len(r.waits) > 0 {
		return
	}
	keys := make([]string, len(r.changes))
	for i, c := range r.changes {
		keys[i] = c.Key
	}
	l.log.Info("configuration reloaded", "changed", strings.Join(keys, " "), "hash", r.cfg.Hash())
	l.changed = true
	l.toldReload(count(len(r.changes), "change") + " in effect")
}

func (l *loop) restartChild(who string) {
	desk := &l.control.desk
	if who == proxyName {
		desk = &l.proxy.now.desk
	}
	if desk.conn != nil {
		desk.conn.Close()
	}
}

// lostForReload takes in the death of a process that takes part in it.
func (l *loop) lostForReload(who string) {
	switch r := l.reloads.now; {
	case r == nil:
	case r.waits != nil:
		l.didCommit(r, who)
	default:
		l.endReload("the "+who+" process ended meanwhile", "nothing has changed; look at the balancer's log, and try again")
	}
}

// lookAtReload ends one that takes too long.
func (l *loop) lookAtReload(now time.Time) {
	r := l.reloads.now
	switch {
	case r == nil || now.Before(r.by):
	case r.waits == nil:
		l.endReload(fmt.Sprintf("the processes were not ready for it within %v", prepareLimit), "nothing has changed; look at the balancer's log")
	default:
		for who := range r.waits {
			l.log.Error("a process did not take over the new configuration in time; starting it anew", "process", who)
			l.restartChild(who)
			l.didCommit(r, who)
		}
	}
}

// toldReload ends a reload with good news.
func (l *loop) toldReload(message string) {
	r := l.reloads.now
	l.reloads.now = nil
	changes := ipcChanges(r.changes)
	if r.waits != nil {
		l.control.send(&ipc.Reloaded{Changes: changes})
	}
	if r.order != 0 {
		l.control.send(&ipc.Outcome{ID: r.order, Message: message, Changes: changes})
	} else if r.waits == nil {
		l.log.Info("nothing to reload: " + message)
	}
}

// endReload ends a reload under way without effect.
func (l *loop) endReload(why, remedy string) {
	r := l.reloads.now
	l.reloads.now = nil
	closeSockets(r.fresh)
	r.log.Close() // which may be nil
	l.abortRunners(r)
	l.proxy.send(&ipc.Abort{ID: r.id})
	l.control.send(&ipc.Abort{ID: r.id})
	if !r.dry {
		l.control.send(&ipc.Reloaded{Error: why})
	}
	l.refuseReload(r.order, why, remedy)
}

func (l *loop) refuseReload(order uint64, why, remedy string) {
	l.log.Error("configuration not reloaded", "reason", why)
	if order != 0 {
		l.control.send(&ipc.Outcome{ID: order, Error: why, Remedy: remedy})
	}
}

func ipcChanges(changes []config.Change) []ipc.Change {
	out := make([]ipc.Change, len(changes))
	for i, c := range changes {
		out[i] = ipc.Change{Key: c.Key, From: c.From, To: c.To, What: c.What, Live: c.Live, Text: c.String()}
	}
	return out
}
