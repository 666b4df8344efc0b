package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// Process is the proxy process.
type Process struct {
	log    *slog.Logger
	level  *slog.LevelVar
	keeper *ipc.Conn
	orders chan order // from the keeper, to the goroutine of Run

	core *lbcore.Proxy

	mu      sync.Mutex // protects what follows
	control *ipc.Conn  // nil while there is none
}

// order is a message of the keeper with its descriptors.
type order struct {
	m     ipc.Message
	files []*os.File
}

// Run is the proxy's life: orders come over f, the end of a socketpair whose other end the
// keeper has. It returns nil when it was told to stop, and an error when it could not do
// its work; then the keeper starts another. level follows the keeper's.
func Run(f *os.File, level *slog.LevelVar, log *slog.Logger) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	conn, err := ipc.New(f)
	if err != nil {
		return err
	}
	p := &Process{log: log, level: level, keeper: conn, orders: make(chan order, 16)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	gone := make(chan error, 1)
	go func() {
		gone <- conn.Run(ctx, func(m ipc.Message, files []*os.File) { p.orders <- order{m, files} })
	}()
	return p.life(ctx, gone)
}

// life is: start, serve, stop.
func (p *Process) life(ctx context.Context, gone <-chan error) error {
	var first order
	select {
	case first = <-p.orders:
	case err := <-gone:
		return fmt.Errorf("the keeper went before it gave orders: %w", err)
	}
	start, ok := first.m.(*ipc.ProxyStart)
	if !ok {
		return fmt.Errorf("the keeper began with %T instead of orders", first.m)
	}
	core, err := p.build(start, first.files)
	if err != nil {
		return err
	}
	p.core = core
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return core.Run(ctx) })
	g.Go(func() error { return p.report(ctx) })
	g.Go(func() error {
		defer stop()
		return p.obey(ctx, g, gone, start.OrphanTime)
	})
	return g.Wait()
}

// build makes lbcore from the first orders.
func (p *Process) build(start *ipc.ProxyStart, files []*os.File) (*lbcore.Proxy, error) {
	p.level.Set(slog.Level(start.LogLevel))
	if want := 1 + start.Loops*len(start.Frontends); len(files) != want {
		return nil, fmt.Errorf("the keeper sent %d descriptors, want %d", len(files), want)
	}
	// A loop keeps its thread for good; one more is for everything else.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), start.Loops+1))
	words, err := progressWords(files[0], start.Loops)
	if err != nil {
		return nil, err
	}
	listeners := make([]int, 0, len(files)-1)
	for _, f := range files[1:] {
		// lbcore owns its listeners; f's own descriptor goes with f.
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("listening socket: %w", err)
		}
		listeners = append(listeners, fd)
		f.Close()
	}
	core, err := lbcore.New(lbcore.Config{Loops: start.Loops, Progress: words, Log: p.log})
	if err != nil {
		return nil, err
	}
	if err := core.SetPools(poolConfigs(start.Pools)); err != nil {
		return nil, err
	}
	if err := core.SetFrontends(frontendConfigs(start.Frontends, listeners, start.Loops)); err != nil {
		return nil, err
	}
	return core, nil
}

// progressWords maps the memory that the keeper watches.
func progressWords(f *os.File, loops int) ([]uint64, error) {
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, 8*loops, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("progress memory: %w", err)
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), loops), nil
}

// obey does what the keeper says until it says stop, or is gone for the orphan time.
func (p *Process) obey(ctx context.Context, g *errgroup.Group, gone <-chan error, orphan time.Duration) error {
	var orphaned <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-p.orders:
			switch m := o.m.(type) {
			case *ipc.Link:
				p.link(ctx, g, o.files)
			case *ipc.Recheck:
				p.core.Recheck()
			case *ipc.Stop:
				p.drain(ctx, m.Grace)
				return nil
			}
		case err := <-gone:
			p.log.Warn("the keeper is gone; serving on", "orphan_time", orphan, "err", err)
			orphaned, gone = time.After(orphan), nil
		case <-orphaned:
			p.log.Warn("no keeper came back; ending")
			p.drain(ctx, orphan)
			return nil
		}
	}
}

// link speaks with a control process, new or for the first time, until it is gone.
func (p *Process) link(ctx context.Context, g *errgroup.Group, files []*os.File) {
	if len(files) != 1 {
		p.log.Error("a link came without its socket", "descriptors", len(files))
		return
	}
	conn, err := ipc.New(files[0])
	if err != nil {
		p.log.Error("link to control", "err", err)
		return
	}
	p.setControl(conn)
	g.Go(func() error {
		err := conn.Run(ctx, func(m ipc.Message, _ []*os.File) {
			if pools, ok := m.(*ipc.Pools); ok {
				p.setBackends(pools)
			}
		})
		p.log.Info("control is gone; keeping the backends known", "err", err)
		return nil // the next control comes with the next link
	})
	p.sendState()
}

func (p *Process) setControl(conn *ipc.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		p.control.Close()
	}
	p.control = conn
}

// setBackends hands each pool its whole list.
func (p *Process) setBackends(m *ipc.Pools) {
	for _, set := range m.Pools {
		pool := p.core.Pool(set.Name)
		if pool == nil {
			p.log.Error("control speaks of a pool that is not configured", "pool", set.Name)
			continue
		}
		if err := pool.Set(backendConfigs(set.Backends)); err != nil {
			p.log.Error("backends refused; the old ones stay", "pool", set.Name, "err", err)
		}
	}
}

// report says Ready once, then tells keeper and control the state of the backends whenever
// one changes, and every second.
func (p *Process) report(ctx context.Context) error {
	if err := p.keeper.Send(&ipc.Ready{}); err != nil {
		return err
	}
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.core.Changes():
		}
		p.sendState()
	}
}

// sendState tells both, as far as they are there. Nobody who misses one is worse off after
// the next.
func (p *Process) sendState() {
	s := state(p.core.Snapshot())
	p.keeper.Send(&ipc.ProxyState{Up: s.Up, Total: s.Total})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		p.control.Send(s)
	}
}

// drain takes no new connections and waits for the requests in flight, grace at most.
func (p *Process) drain(ctx context.Context, grace time.Duration) {
	if err := p.core.SetFrontends(nil); err != nil {
		p.log.Error("closing the listening sockets", "err", err)
	}
	end := time.After(grace)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			p.log.Warn("requests cut off", "left", inFlight(p.core.Snapshot()), "grace", grace)
			return
		case <-look.C:
			if inFlight(p.core.Snapshot()) == 0 {
				return
			}
		}
	}
}
