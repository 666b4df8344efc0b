package runner

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// Process is one runner.
type Process struct {
	log    *slog.Logger
	level  *slog.LevelVar
	keeper *ipc.Conn

	stop context.CancelFunc // ends it

	book    book
	running atomic.Int64 // programs of hooks
	tasks   atomic.Int64 // links, hooks and templates
	retired atomic.Bool  // it ends with the last of them
	work    sync.WaitGroup
}

// Run is a runner's life: orders come over f, the end of a socketpair whose other end the
// keeper has. It returns nil when it was told to stop or the keeper is gone; all programs
// have ended then.
func Run(f *os.File, level *slog.LevelVar, log *slog.Logger) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	conn, err := ipc.New(f)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Process{log: log, level: level, keeper: conn, stop: stop}
	defer p.work.Wait()
	defer stop()
	var refused error
	conn.Run(ctx, func(m ipc.Message, files []*os.File) {
		if err := p.fromKeeper(ctx, m, files); err != nil {
			refused = err
			stop()
		}
	})
	return refused
}

// fromKeeper is called with each of its messages, in order.
func (p *Process) fromKeeper(ctx context.Context, m ipc.Message, files []*os.File) error {
	switch m := m.(type) {
	case *ipc.RunnerStart:
		p.book.begin(m)
		p.level.Set(slog.Level(m.LogLevel))
		return p.keeper.Send(&ipc.Ready{})
	case *ipc.Prepare:
		p.book.prepare(m.Runner)
		return p.keeper.Send(&ipc.Prepared{ID: m.ID})
	case *ipc.Abort:
		p.book.prepare(nil)
	case *ipc.Commit:
		p.reloaded(p.book.commit())
	case *ipc.Link:
		if len(files) == 1 {
			conn, err := ipc.New(files[0])
			if err != nil {
				return fmt.Errorf("link to control: %w", err)
			}
			p.task(func() { p.serve(ctx, conn) })
			return nil
		}
	case *ipc.Stop:
		p.work.Go(func() { p.linger(ctx, m.Grace/2); p.stop() })
	}
	for _, f := range files {
		f.Close()
	}
	return nil
}

// reloaded takes in what is in effect now. With nothing to run this process ends, once control
// has hung up and all that runs has ended.
func (p *Process) reloaded(now *ipc.RunnerStart) {
	p.level.Set(slog.Level(now.LogLevel))
	p.retired.Store(len(now.Hooks)+len(now.Templates) == 0)
	p.endIfDone()
}

// task runs f beside whoever calls.
func (p *Process) task(f func()) {
	p.tasks.Add(1)
	p.work.Go(func() {
		f()
		p.tasks.Add(-1)
		p.endIfDone()
	})
}

func (p *Process) endIfDone() {
	if p.retired.Load() && p.tasks.Load() == 0 {
		p.stop()
	}
}

// linger gives programs that run now a moment to end: what an orderly end of this balancer
// has started should get to its end.
func (p *Process) linger(ctx context.Context, most time.Duration) {
	const look = 10 * time.Millisecond
	for end := time.Now().Add(most); p.running.Load() > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

// serve does what one control process says, until that is gone.
func (p *Process) serve(ctx context.Context, conn *ipc.Conn) {
	talk, hangUp := context.WithCancel(ctx)
	defer hangUp()
	conn.Run(talk, func(m ipc.Message, files []*os.File) {
		for _, f := range files {
			f.Close()
		}
		switch m := m.(type) {
		case *ipc.RunHook:
			p.begin(ctx, conn, m)
		case *ipc.Render:
			p.task(func() { p.render(ctx, conn, m) })
		}
	})
}

// begin runs a hook's program beside whoever reads the orders.
func (p *Process) begin(ctx context.Context, conn *ipc.Conn, order *ipc.RunHook) {
	program, err := p.program(order)
	if p.running.Add(1) > hook.MaxRunning && err == nil {
		err = fmt.Errorf("%d programs run already", hook.MaxRunning)
	}
	if err != nil {
		p.running.Add(-1)
		p.report(conn, order, hook.Result{Err: err.Error(), At: time.Now()})
		return
	}
	p.task(func() {
		defer p.running.Add(-1)
		p.report(conn, order, hook.Run(ctx, program))
	})
}

// program is what an order may run: a hook of the keeper's, with variables of our own.
func (p *Process) program(order *ipc.RunHook) (hook.Program, error) {
	for _, v := range order.Env {
		if !strings.HasPrefix(v, "TANDEM_") && !strings.HasPrefix(v, "SERF_") {
			return hook.Program{}, fmt.Errorf("control wants to set the variable %.20q, which is none of a hook's", v)
		}
	}
	h, err := p.book.hook(order.Programs, order.Hook)
	if err != nil {
		return hook.Program{}, err
	}
	return hook.Program{Argv: h.Argv, Env: append([]string{hook.Path}, order.Env...), Stdin: order.Stdin, Timeout: h.Timeout}, nil
}

func (p *Process) report(conn *ipc.Conn, order *ipc.RunHook, r hook.Result) {
	err := conn.Send(&ipc.HookEnded{
		ID: order.ID, Error: r.Err, TimedOut: r.TimedOut, Output: strings.ToValidUTF8(r.Output, "?"), Took: r.Took, At: r.At,
	})
	if err != nil {
		p.log.Warn("a hook has ended, and control does not listen", "hook", order.Hook, "took", r.Took, "err", r.Error())
	}
}
