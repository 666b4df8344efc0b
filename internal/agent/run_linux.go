package agent

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

const (
	leaveTimeout = 3 * time.Second // bounds the goodbye
	complainTime = 5 * time.Second // an app that is unwell for that long is worth a line, and again every minute
	complainGap  = time.Minute
)

// Signals are those that Run wants to be given.
func Signals() []os.Signal {
	return []os.Signal{
		syscall.SIGTERM, syscall.SIGINT, // end
		syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, // passed on
	}
}

// Run joins, starts the command if there is one, announces the app while its check passes, and ends when ctx ends or
// a SIGTERM or SIGINT arrives. exitCode is what this process should exit with: 0 if there is no command, or if it
// ended by the signal that the agent stopped it with; else the command's code, or 128 + the signal that ended it;
// 128 + the second signal if that ended everything; 1 with err.
func Run(ctx context.Context, cfg Config, signals <-chan os.Signal) (exitCode int, err error) {
	if err := cfg.complete(); err != nil {
		return 1, err
	}
	var ring *os.File
	if cfg.Keyring != "" {
		if ring, err = os.OpenFile(cfg.Keyring, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return 1, fmt.Errorf("agent: the file of the gossip keys: %w", err)
		}
		defer ring.Close()
	}
	cluster, err := membership.Open(membership.Config{
		Name: cfg.Name, Bind: cfg.Bind, Advertise: cfg.Advertise, Seeds: cfg.Join, Keys: cfg.Keys,
		AnyPort:  !cfg.Bind.IsValid(), // nobody needs to know an agent's port
		Snapshot: cfg.Snapshot, RingFile: ring,
		Meta: firstMeta(cfg), Log: cfg.Log,
	})
	if err != nil {
		return 1, err
	}
	defer cluster.Close()
	meta := firstMeta(cfg)
	meta.Apps[0].Addr = netip.AddrPortFrom(cfg.Addr.Unmap(), cfg.Port)
	if !cfg.Addr.IsValid() {
		meta.Apps[0].Addr = netip.AddrPortFrom(cluster.Self().Addr, cfg.Port)
	}
	if err := meta.Validate(); err != nil {
		return 1, fmt.Errorf("agent: the app cannot be announced: %w", err)
	}
	a := &agent{
		cfg: cfg, cluster: cluster, health: health{rise: cfg.Check.Rise, fall: cfg.Check.Fall},
		backoff: backoff{least: cfg.MinBackoff, most: cfg.MaxBackoff},
		checker: newChecker(cfg.Check, cfg.Port), announcer: newAnnouncer(cluster, meta, cfg.Log),
	}
	a.health.begin()
	a.complain = time.Now().Add(complainTime)
	return a.run(ctx, signals)
}

// firstMeta says who this is, and of no app yet.
func firstMeta(cfg Config) membership.Meta {
	return membership.Meta{
		Role: membership.RoleAgent, Version: cfg.Version, Tags: cfg.Tags,
		Apps: []membership.App{{Pool: cfg.Pool, Weight: cfg.Weight}},
	}
}

// agent is the state of a run. One goroutine, loop, owns it.
type agent struct {
	cfg       Config
	cluster   *membership.Cluster
	checker   *checker
	announcer *announcer
	reaper    reaper
	running   sync.WaitGroup // runs of the app that have not ended, or whose output has not
	health    health
	backoff   backoff

	proc     *process         // the app, while it runs
	restart  <-chan time.Time // while a restart is due
	told     standing         // what was last given to the announcer
	complain time.Time        // when it is to be said (again) that the app is unwell
}

// run starts what belongs to the agent, and ends it in order: the app is drained and stopped while gossip goes on.
func (a *agent) run(ctx context.Context, signals <-chan os.Signal) (int, error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer func() {
		cancel()
		a.cluster.Close()
		wg.Wait()
		a.running.Wait()
	}()
	wg.Go(func() { _ = a.cluster.Run(background) }) // its only error is to be run twice
	wg.Go(func() {
		for range a.cluster.Events() { // the log has them; nothing else depends on them
		}
	})
	wg.Go(func() {
		for range a.cluster.Messages() {
		}
	})
	wg.Go(func() {
		for ev := range a.cluster.UserEvents() {
			a.cfg.Log.Info("user event", "name", ev.Name, "from", ev.From, "bytes", len(ev.Payload))
		}
	})
	wg.Go(func() { a.checker.loop(background) })
	wg.Go(func() { a.announcer.loop(background) })
	wg.Go(func() { a.reaper.loop(background) })

	if len(a.cfg.Command) > 0 {
		if err := a.start(); err != nil {
			return 1, fmt.Errorf("agent: cannot start the command: %w", err)
		}
	}
	a.serve(ctx, signals)
	return a.stop(signals)
}

// serve keeps the app running and announced until it is time to stop.
func (a *agent) serve(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case res := <-a.checker.out:
			a.checked(res)
		case <-a.appEnded():
			a.ended()
		case <-a.restart:
			if err := a.start(); err != nil {
				a.cfg.Log.Error("cannot start the command", "err", err)
				a.startLater(0)
			}
		case sig := <-signals:
			if ends(sig) {
				a.cfg.Log.Info("stopping", "signal", sig)
				return
			}
			a.forward(sig)
		case <-ctx.Done():
			return
		}
	}
}

// ends reports whether sig asks the agent to end; others are for the app.
func ends(sig os.Signal) bool { return sig == syscall.SIGTERM || sig == syscall.SIGINT }

func (a *agent) forward(sig os.Signal) {
	if s, ok := sig.(syscall.Signal); ok && a.proc != nil {
		a.proc.signal(s)
	}
}

// appEnded is closed when the app has ended; nil while none runs.
func (a *agent) appEnded() <-chan struct{} {
	if a.proc == nil {
		return nil
	}
	return a.proc.ended
}

func (a *agent) start() error {
	a.restart = nil
	p, err := a.reaper.start(func() (*process, error) {
		return startProcess(a.cfg.Command, a.cfg.Stdout, a.cfg.Stderr, &a.running)
	})
	if err != nil {
		return err
	}
	a.proc = p
	a.complain = time.Now().Add(complainTime)
	a.cfg.Log.Info("app started", "pid", p.cmd.Process.Pid, "command", a.cfg.Command[0])
	a.checker.begin()
	a.health.begin()
	return nil
}

// ended un-announces an app that has ended by itself, and starts it again later.
func (a *agent) ended() {
	ran := time.Since(a.proc.started)
	code := a.proc.exitCode()
	a.proc = nil
	a.reaper.forget()
	a.health.begin()
	a.checker.begin()
	a.announce(standing{})
	wait := a.startLater(ran)
	a.cfg.Log.Warn("app ended by itself", "code", code, "ran", ran.Round(time.Millisecond), "restart_in", wait)
}

func (a *agent) startLater(ran time.Duration) time.Duration {
	wait := a.backoff.after(ran)
	a.restart = time.After(wait)
	return wait
}

// checked takes the result of a check. It counts only if it is about the run that there is now.
func (a *agent) checked(res checkResult) {
	if res.run != a.checker.run.Load() || len(a.cfg.Command) > 0 && a.proc == nil {
		return
	}
	was := a.health.well
	well := a.health.observe(res.err == nil)
	switch {
	case well && !was:
		a.cfg.Log.Info("app is well", "pool", a.cfg.Pool, "addr", a.announcer.meta.Apps[0].Addr)
	case !well && was:
		a.cfg.Log.Warn("app is not well", "pool", a.cfg.Pool, "err", res.err)
		a.complain = time.Now().Add(complainGap)
	case !well && res.err != nil && time.Now().After(a.complain):
		a.cfg.Log.Warn("app is not announced, since its check fails; does it listen there?",
			"at", a.checker.target, "path", a.cfg.Check.HTTP, "err", res.err)
		a.complain = time.Now().Add(complainGap)
	}
	a.announce(standing{well: well, draining: a.told.draining})
}

// announce tells the cluster s, if that is news.
func (a *agent) announce(s standing) {
	if s != a.told {
		a.told = s
		a.announcer.set(s)
	}
}
