package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
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
	orders chan order // from the keeper, to the goroutine of Run
	gone   chan error // the keeper's socket has ended
	boss   uint32     // the keeper's uid
	began  time.Time

	core      *lbcore.Proxy
	start     *ipc.ProxyStart
	files     []*os.File       // those of start, for a new keeper; nil once the sockets are left to others
	serves    bool             // was told to
	reload    *reloading       // nil: none is prepared
	listeners map[string][]int // lbcore's descriptors of the listening sockets, by Listen
	listedFor atomic.Uint64    // the reload that control's last lists are for
	listed    atomic.Bool
	draining  atomic.Bool
	drain     *time.Timer       // nil: none is ordered
	meeting   *net.UnixListener // nil before Serve, and where there is none
	visitors  chan *net.UnixConn

	mu      sync.Mutex // protects what follows
	keeper  *ipc.Conn
	control *ipc.Conn // nil while there is none
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
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	conn, err := ipc.New(f)
	if err != nil {
		return err
	}
	boss, err := conn.Peer()
	if err != nil {
		return err
	}
	p := &Process{
		log: log, level: level, boss: boss.UID, began: time.Now(),
		orders: make(chan order, 16), gone: make(chan error, 1), visitors: make(chan *net.UnixConn, 1),
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	p.listen(ctx, conn)
	return p.life(ctx)
}

// listen takes orders from a keeper, the first or a new one, until it is gone.
func (p *Process) listen(ctx context.Context, conn *ipc.Conn) {
	p.mu.Lock()
	p.keeper = conn
	p.mu.Unlock()
	go func() {
		p.gone <- conn.Run(ctx, func(m ipc.Message, files []*os.File) { p.orders <- order{m, files} })
	}()
}

// life is: start, serve, stop.
func (p *Process) life(ctx context.Context) error {
	var first order
	select {
	case first = <-p.orders:
	case err := <-p.gone:
		return fmt.Errorf("the keeper went before it gave orders: %w", err)
	}
	start, ok := first.m.(*ipc.ProxyStart)
	if !ok {
		return fmt.Errorf("the keeper began with %T instead of orders", first.m)
	}
	p.start, p.files = start, first.files
	if err := p.build(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.core.Run(ctx) })
	g.Go(func() error { return p.report(ctx) })
	g.Go(func() error {
		defer stop()
		return p.obey(ctx, g)
	})
	return g.Wait()
}

// build makes lbcore from the first orders; it listens nowhere yet.
func (p *Process) build() error {
	start := p.start
	p.level.Set(slog.Level(start.LogLevel))
	if want := 1 + start.Loops*len(start.Frontends); len(p.files) != want {
		return fmt.Errorf("the keeper sent %d descriptors, want %d", len(p.files), want)
	}
	// A loop keeps its thread for good; one more is for everything else.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), start.Loops+1))
	words, err := progressWords(p.files[0], start.Loops)
	if err != nil {
		return err
	}
	if p.core, err = lbcore.New(lbcore.Config{Loops: start.Loops, MaxConns: start.MaxConn, Progress: words, Log: p.log}); err != nil {
		return err
	}
	return p.setPools(start.Pools)
}

// progressWords maps the memory that the keeper watches.
func progressWords(f *os.File, loops int) ([]uint64, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, 8*loops, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("progress memory: %w", err)
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), loops), nil
}

// serve begins to read the listening sockets, and says so.
func (p *Process) serve(files []*os.File) error {
	listeners := make([]int, 0, len(p.files)-1)
	p.listeners = make(map[string][]int, len(p.start.Frontends))
	for i, f := range p.files[1:] {
		// lbcore owns its listeners; f stays, for a new keeper.
		fd, err := ipc.Copy(f)
		if err != nil {
			return err
		}
		listeners = append(listeners, fd)
		of := p.start.Frontends[i/p.start.Loops].Listen
		p.listeners[of] = append(p.listeners[of], fd)
	}
	frontends, err := frontendConfigs(p.start.Frontends, listeners, p.start.Loops)
	if err != nil {
		return err
	}
	if err := p.core.SetFrontends(frontends); err != nil {
		return err
	}
	p.serves = true
	if len(files) > 0 {
		meeting, err := ipc.Attend(files[0])
		if err != nil {
			p.log.Warn("no later keeper can find this proxy", "err", err)
		}
		p.meeting = meeting
	}
	return p.tell(&ipc.Ready{})
}

// leaveSockets lets go of the listening sockets for good. What waits there is served by
// this proxy, or left to whoever else has them.
func (p *Process) leaveSockets(toAnother bool) {
	if toAnother {
		p.core.StopAccepting()
	}
	if err := p.core.SetFrontends(nil); err != nil {
		p.log.Error("closing the listening sockets", "err", err)
	}
	for _, f := range p.files {
		f.Close()
	}
	p.files = nil
	if p.meeting != nil {
		p.meeting.Close()
		p.meeting = nil
	}
}

// tell queues a message for the keeper.
func (p *Process) tell(m ipc.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keeper.Send(m)
}

func (p *Process) setPools(pools []ipc.PoolPolicy) error {
	set, err := poolConfigs(pools)
	if err != nil {
		return err
	}
	return p.core.SetPools(set)
}
