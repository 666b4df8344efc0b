package agent

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/agent/lines"
	"github.com/tandem-lb/tandem/membership"
)

const (
	leaveTimeout = 3 * time.Second // bounds the goodbye
	sendGrace    = 2 * time.Second // for the last lines to the collector
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

// Run joins, starts the processes, announces the apps while their checks pass, and ends when ctx ends, a SIGTERM or
// SIGINT arrives, or a process that is an app is not to be started again. exitCode is what this process should exit
// with: the code of that process, or 128 + the signal that ended it; 0 if there is none, or if it ended as the agent
// asked it to; 128 + the second signal if that ended everything; 1 with err.
func Run(ctx context.Context, cfg Config, signals <-chan os.Signal) (exitCode int, err error) {
	if err := cfg.complete(); err != nil {
		return 1, err
	}
	a := newAgent(cfg)
	if a.output.sender, err = cfg.collector(); err != nil {
		return 1, err
	}
	cfg.Log = a.output.withOwn(cfg.Log) // the sender has the one without: what it says is not for itself to send
	a.cfg.Log = cfg.Log
	mc := cfg.membership()
	mc.Answer = a.answer
	if cfg.Keyring != "" {
		if mc.RingFile, err = os.OpenFile(cfg.Keyring, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return 1, fmt.Errorf("agent: the file of the gossip keys: %w", err)
		}
		defer mc.RingFile.Close()
	}
	var listener net.Listener
	if cfg.Socket != "" {
		if listener, err = listenSocket(cfg.Socket); err != nil {
			return 1, err
		}
		defer listener.Close()
	}
	a.cluster, err = membership.Open(mc)
	close(a.opened)
	if err != nil {
		return 1, err
	}
	defer a.cluster.Close()
	for _, app := range a.apps {
		if !app.addr.IsValid() {
			app.addr = a.cluster.Self().Addr
		}
	}
	if err := a.meta(true).Validate(); err != nil {
		return 1, fmt.Errorf("agent: the apps cannot be announced: %w", err)
	}
	a.announcer = newAnnouncer(a.cluster, cfg.Log)
	return a.run(ctx, signals, listener)
}

// newAgent makes the state of a run.
func newAgent(cfg Config) *agent {
	a := &agent{
		cfg: cfg, plan: newPlan(cfg.Processes, cfg.Apps), procs: make([]*process, len(cfg.Processes)), runID: rand.Text(),
		output:  &output{prefixed: cfg.prefixed(), maxLine: cfg.Agent.Log.MaxLine, ring: lines.NewRing(cfg.Agent.Log.Keep)},
		results: make(chan checkResult), exits: make(chan *process, len(cfg.Processes)), readied: make(chan *process),
		calls: make(chan func()), drained: make(chan drainNews), over: make(chan struct{}), opened: make(chan struct{}),
	}
	rand.Read(a.challenges.Secret[:]) // never fails
	for i, c := range cfg.Apps {
		app := &app{App: c, addr: c.Addr.Unmap(), weight: c.Weight, proc: a.plan.index(c.Process)}
		app.health = health{rise: c.Check.Rise, fall: c.Check.Fall}
		app.health.begin()
		app.complain = time.Now().Add(complainTime)
		app.checker = newChecker(c.Check, c.Addr, c.Port, i)
		a.apps = append(a.apps, app)
	}
	return a
}

// run starts what belongs to the agent, and ends it in order: the apps are drained and stopped while gossip goes on.
func (a *agent) run(ctx context.Context, signals <-chan os.Signal, socket net.Listener) (int, error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.background = background
	var wg sync.WaitGroup
	defer func() {
		close(a.over)
		cancel()
		a.cluster.Close()
		wg.Wait()
		a.helpers.Wait()
		a.running.Wait()
	}()
	wg.Go(func() { _ = a.cluster.Run(background) }) // its only error is to be run twice
	wg.Go(func() { ignore(a.cluster.Events()) })    // the log has them; nothing else depends on them
	wg.Go(func() { ignore(a.cluster.Messages()) })
	wg.Go(func() {
		for ev := range a.cluster.UserEvents() {
			a.cfg.Log.Info("user event", "name", ev.Name, "from", ev.From, "bytes", len(ev.Payload))
		}
	})
	for _, app := range a.apps {
		wg.Go(func() { app.checker.loop(background, a.results) })
	}
	wg.Go(func() { a.announcer.loop(background) })
	wg.Go(func() { a.reaper.loop(background) })
	if socket != nil {
		wg.Go(func() { a.serveSocket(background, socket) })
	}
	sending, stopSending := context.WithCancel(background)
	if sender := a.output.sender; sender != nil {
		sent := make(chan struct{})
		wg.Go(func() { defer close(sent); sender.Run(sending, sendGrace) })
		defer func() { <-sent }()
	}
	defer stopSending()
	code := a.loop(ctx, signals)
	if a.output.sender != nil {
		a.running.Wait() // what the processes printed last
	}
	return code, nil
}

func ignore[T any](ch <-chan T) {
	for range ch {
	}
}
