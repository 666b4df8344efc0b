package agent

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/lbcore/check"
	"github.com/tandem-lb/tandem/membership"
)

// app is one app that is announced.
type app struct {
	config.App
	addr     netip.Addr // where balancers reach it
	proc     int        // the process that it is, in the plan; -1: it is run by somebody else
	checker  *checker
	health   health
	weight   int       // as announced
	drain    bool      // asked for through the socket
	complain time.Time // when it is to be said (again) that it is unwell
}

// stage is how far the agent is.
//
//	serving ──► draining ──► stopping ──► leaving ──► (loop ends)
//	   └───────────────────────┘ nothing is announced
type stage int

const (
	serving  stage = iota
	draining       // until the balancers say that nothing is under way, or drainBy
	stopping       // until no process runs
	leaving        // until the goodbye is said
)

// agent is the state of a run. One goroutine, loop, owns what follows after calls.
type agent struct {
	cfg        Config
	cluster    *membership.Cluster
	announcer  *announcer
	output     *output
	runID      string          // of this run, so that who follows its log sees that it begins anew
	challenges talk.Challenges // that a balancer has to sign before it is told the log
	opened     chan struct{}   // closed when cluster is set
	background context.Context
	running    sync.WaitGroup // runs of processes that have not ended, or whose output has not
	helpers    sync.WaitGroup // goroutines that end with background or over
	reaper     reaper
	results    chan checkResult
	exits      chan *process // room for one of each process
	readied    chan *process
	drained    chan drainNews
	over       chan struct{} // closed when nobody receives from calls any more
	calls      chan func()   // to be called by loop

	stage   stage
	drainBy time.Time
	apps    []*app
	plan    *plan
	procs   []*process // those that run, by their place in the plan
	told    membership.Meta
	code    *int       // of the process that was the reason to stop
	asked   bool       // by a signal, to end
	left    chan error // the goodbye is said, or could not be
	forced  os.Signal  // the signal that ends everything at once
}

// loop is the agent's life, and returns its exit code.
func (a *agent) loop(ctx context.Context, signals <-chan os.Signal) int {
	cancelled := ctx.Done()
	for a.act(time.Now()) {
		timer := time.NewTimer(time.Until(a.deadline()))
		select {
		case res := <-a.results:
			a.checked(res)
		case p := <-a.exits:
			a.ended(p)
		case p := <-a.readied:
			if a.procs[p.index] == p {
				a.plan.isReady(p.index)
			}
		case news := <-a.drained:
			a.drainedSoFar(news)
		case call := <-a.calls:
			call()
		case sig := <-signals:
			a.signalled(sig)
		case <-cancelled:
			cancelled = nil
			a.wind()
		case err := <-a.left:
			if err != nil {
				a.cfg.Log.Warn("left without telling everybody", "err", err)
			}
			return a.exitCode()
		case <-timer.C:
		}
		timer.Stop()
	}
	return 128 + int(a.forced.(syscall.Signal))
}

// deadline returns when act may have something to do although nothing happens.
func (a *agent) deadline() time.Time {
	next := a.plan.deadline()
	if next.IsZero() {
		next = time.Now().Add(time.Hour)
	}
	if a.stage == draining && a.drainBy.Before(next) {
		next = a.drainBy
	}
	return next
}

// act does what is due, and reports whether the agent goes on.
func (a *agent) act(now time.Time) bool {
	if a.forced != nil {
		a.abort()
		return false
	}
	for _, i := range a.plan.toStart(now) {
		a.start(i)
	}
	if code, ok := a.plan.finished(); ok && a.stage == serving {
		a.code = &code
		a.cfg.Log.Info("stopping: a process that is an app has ended for good", "code", code)
		a.wind()
	}
	if a.stage == draining && !now.Before(a.drainBy) {
		a.cfg.Log.Warn("the drain time is over; stopping all the same", "drain_time", a.cfg.DrainTime)
		a.halt()
	}
	if a.stage == stopping {
		for _, i := range a.plan.toStop(now) {
			a.cfg.Log.Info("stopping", "process", a.plan.procs[i].Name, "stop_timeout", a.plan.procs[i].StopTimeout)
			a.procs[i].signal(syscall.SIGTERM)
		}
		for _, i := range a.plan.toKill(now) {
			a.cfg.Log.Warn("it did not end in time; killing it", "process", a.plan.procs[i].Name)
			a.procs[i].signal(syscall.SIGKILL)
		}
		if a.plan.stopped() {
			a.goodbye()
		}
	}
	return true
}

// wind begins to stop: the apps drain first, if any is announced.
func (a *agent) wind() {
	if a.stage != serving {
		return
	}
	a.stage, a.drainBy = draining, time.Now().Add(a.cfg.DrainTime)
	if !a.announced() || a.cfg.DrainTime == 0 {
		a.halt()
		return
	}
	a.cfg.Log.Info("draining", "drain_time", a.cfg.DrainTime)
	a.plan.drain()
	a.announce()
	a.helpers.Go(func() { a.watchDrain(a.background) })
}

// halt ends draining: the processes are stopped.
func (a *agent) halt() {
	a.stage = stopping
	a.plan.stop()
	a.announce()
}

// goodbye leaves the cluster.
func (a *agent) goodbye() {
	a.stage, a.left = leaving, make(chan error, 1)
	a.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(a.background, leaveTimeout)
		defer cancel()
		a.left <- a.cluster.Leave(ctx)
	})
}

func (a *agent) exitCode() int {
	if a.code != nil {
		return *a.code
	}
	return a.plan.exitCode()
}

// signalled takes a signal: the first SIGTERM or SIGINT winds down, the second ends at once; others are for the apps.
func (a *agent) signalled(sig os.Signal) {
	switch {
	case sig != syscall.SIGTERM && sig != syscall.SIGINT:
		for i, p := range a.procs {
			if p != nil && a.plan.procs[i].main {
				p.signal(sig.(syscall.Signal))
			}
		}
	case !a.asked:
		a.asked = true
		a.cfg.Log.Info("stopping", "signal", sig)
		a.wind()
	default:
		a.forced = sig
	}
}

// abort ends everything at once, without goodbye.
func (a *agent) abort() {
	a.cfg.Log.Warn("second signal: ending at once", "signal", a.forced)
	for _, p := range a.procs {
		if p != nil {
			p.signal(syscall.SIGKILL)
		}
	}
	for _, p := range a.procs {
		if p != nil {
			<-p.ended
		}
	}
}

// start starts a process.
func (a *agent) start(i int) {
	o := a.plan.procs[i]
	out, errs := a.output.stream(o.Name, "out", a.cfg.Stdout), a.output.stream(o.Name, "err", a.cfg.Stderr)
	var env []string
	if a.cfg.Socket != "" {
		env = []string{"TANDEM_SOCKET=" + a.cfg.Socket}
	}
	p, err := a.reaper.start(func() (*process, error) {
		return startProcess(i, o.Process, env, out, errs, &a.running, a.exits)
	})
	now := time.Now()
	if err != nil {
		_, pause := a.plan.ended(i, 127, now)
		a.cfg.Log.Error("cannot be started", "process", o.Name, "err", err, "restart_in", pause)
		return
	}
	a.procs[i] = p
	a.plan.started(i, now)
	a.cfg.Log.Info("started", "process", o.Name, "pid", p.cmd.Process.Pid, "program", o.Command[0])
	hasApp := a.renew(i)
	for _, app := range a.apps {
		if app.proc == i {
			app.complain = now.Add(complainTime)
		}
	}
	switch {
	case o.Ready != nil:
		probe := newProbe(*o.Ready, netip.Addr{}, o.ReadyPort)
		a.helpers.Go(func() { a.untilReady(p, probe) })
	case !hasApp:
		a.plan.isReady(i)
	}
}

// untilReady reports when the process answers, unless it ends before.
func (a *agent) untilReady(p *process, probe probe) {
	ctx, cancel := context.WithCancel(a.background)
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if probe.until(ctx) {
		select {
		case a.readied <- p:
		case <-ctx.Done():
		}
	}
}

// renew has the apps of process i begin anew, unwell, and reports whether there are any.
func (a *agent) renew(i int) bool {
	any := false
	for _, app := range a.apps {
		if app.proc == i {
			app.health.begin()
			app.checker.begin()
			any = true
		}
	}
	return any
}

// ended takes note that a process has ended: its apps are un-announced, and it is started again later.
func (a *agent) ended(p *process) {
	i, o := p.index, a.plan.procs[p.index]
	a.procs[i] = nil
	a.reaper.forget(p)
	a.renew(i)
	now, code := time.Now(), p.exitCode()
	ran := now.Sub(o.started).Round(time.Millisecond)
	asked := o.told
	again, pause := a.plan.ended(i, code, now)
	a.announce()
	if a.stage == draining && !a.serves() {
		a.halt()
	}
	switch {
	case asked:
		a.cfg.Log.Info("ended", "process", o.Name, "code", code)
	case again:
		a.cfg.Log.Warn("ended by itself", "process", o.Name, "code", code, "ran", ran, "restart_in", pause)
	default:
		a.cfg.Log.Warn("ended by itself, for good", "process", o.Name, "code", code, "ran", ran, "restart", o.Restart)
	}
}

// checked takes the result of a check. It counts only if it is about the run that there is now.
func (a *agent) checked(res checkResult) {
	app := a.apps[res.app]
	if res.run != app.checker.run.Load() || app.proc >= 0 && a.procs[app.proc] == nil {
		return
	}
	was := app.health.well
	well := app.health.observe(res.err == nil)
	switch now := time.Now(); {
	case well && !was:
		a.cfg.Log.Info("app is well", "pool", app.Pool, "addr", app.announcedAt())
		a.readyByApps(app.proc)
	case !well && was:
		a.cfg.Log.Warn("app is not well", "pool", app.Pool, "addr", app.announcedAt(), "err", check.Reason(res.err))
		app.complain = now.Add(complainGap)
	case !well && res.err != nil && now.After(app.complain):
		a.cfg.Log.Warn("app is not announced, since its check fails; does it listen there?",
			"at", app.checker.probe.target, "err", check.Reason(res.err))
		app.complain = now.Add(complainGap)
	}
	a.announce()
}

// readyByApps notes that a process without a check of its own is ready, if all its apps are well.
func (a *agent) readyByApps(proc int) {
	if proc < 0 || a.plan.procs[proc].Ready != nil {
		return
	}
	for _, app := range a.apps {
		if app.proc == proc && !app.health.well {
			return
		}
	}
	a.plan.isReady(proc)
}

func (o *app) announcedAt() netip.AddrPort { return netip.AddrPortFrom(o.addr, o.Port) }

// announced reports whether a balancer may send requests to any app.
func (a *agent) announced() bool {
	for _, app := range a.apps {
		if app.health.well {
			return true
		}
	}
	return false
}

// serves reports whether any app can have a request under way: its process runs, or is somebody else's.
func (a *agent) serves() bool {
	for _, app := range a.apps {
		if app.proc < 0 || a.procs[app.proc] != nil {
			return true
		}
	}
	return false
}

// meta returns what to announce: an app that is not well has no address, unless all are to be shown.
func (a *agent) meta(all bool) membership.Meta {
	m := a.cluster.Self().Meta
	m.Apps = make([]membership.App, len(a.apps))
	for i, app := range a.apps {
		m.Apps[i] = membership.App{Pool: app.Pool, Weight: app.weight, Drain: app.drain || a.stage != serving}
		if all || app.health.well {
			m.Apps[i].Addr = app.announcedAt()
		}
	}
	return m
}

// announce tells the cluster how the apps are, if that is news.
func (a *agent) announce() {
	if m := a.meta(false); !m.Equal(a.told) {
		a.told = m
		a.announcer.set(m)
	}
}

// do has loop call f, and returns when it has, or why it will not.
func (a *agent) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case a.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-ctx.Done():
		return fmt.Errorf("agent: not in time: %w", ctx.Err())
	case <-a.over:
		return fmt.Errorf("agent: it is ending")
	}
}
