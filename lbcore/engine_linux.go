package lbcore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// engine is the loops and who listens where.
type engine struct {
	workers   []*worker
	listeners map[int]*listener        // by descriptor; guarded by Proxy.mu
	listening atomic.Pointer[[]served] // the same, for the loops
}

func newEngine(cfg Config, draining *atomic.Bool, sink *logSink) (*engine, error) {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	e, start := &engine{listeners: make(map[int]*listener)}, time.Now()
	for i := range cfg.Loops {
		var progress *uint64
		if cfg.Progress != nil {
			progress = &cfg.Progress[i]
		}
		l, err := loop.New(progress)
		if err != nil {
			for _, w := range e.workers {
				w.Discard()
			}
			return nil, err
		}
		w := newWorker(l, i, cfg, draining)
		w.sink, w.host = sink, host
		w.ahead = l.Origin().Sub(start)
		e.workers = append(e.workers, w)
	}
	return e, nil
}

// run runs all loops; if one fails the others are ended.
func (e *engine) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.lookOut()
	errs := make([]error, len(e.workers))
	var wg sync.WaitGroup
	for i, w := range e.workers {
		wg.Go(func() {
			defer cancel()
			own, stop := context.WithCancel(context.WithoutCancel(ctx))
			defer stop()
			defer context.AfterFunc(ctx, func() { w.settle(); stop() })()
			errs[i] = w.Run(own)
			w.endLog()
			w.closePipes()
			w.closeUnwatched()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// setListeners makes set the whole set of listeners; nothing is changed on
// error. A descriptor that stays keeps its loop.
func (e *engine) setListeners(set []listenerConfig) error {
	next := make(map[int]*listener, len(set))
	var errs []error
	for _, c := range set {
		if next[c.fd] != nil {
			errs = append(errs, fmt.Errorf("frontend %q: descriptor %d is given twice", c.frontend.name, c.fd))
			continue
		}
		l := e.listeners[c.fd]
		if l == nil {
			var err error
			if l, err = e.newListener(c); err != nil {
				errs = append(errs, fmt.Errorf("frontend %q: %w", c.frontend.name, err))
				continue
			}
		}
		next[c.fd] = l
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	all := make([]served, 0, len(set))
	for _, c := range set {
		all = append(all, served{next[c.fd], c.frontend})
	}
	e.listening.Store(&all)
	for _, c := range set {
		deferAccept(c.fd, c.serverFirst)
		l := next[c.fd]
		if !l.w.Post(func() { l.serve(c.frontend) }) {
			return errors.New("the proxy has ended")
		}
	}
	for fd, l := range e.listeners {
		if next[fd] == nil {
			l.w.Post(l.close)
		}
	}
	e.listeners = next
	return nil
}

func (e *engine) newListener(c listenerConfig) (*listener, error) {
	listening, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", c.fd, os.NewSyscallError("getsockopt", err))
	}
	if listening != 1 {
		return nil, fmt.Errorf("descriptor %d does not listen", c.fd)
	}
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", c.fd, os.NewSyscallError("fcntl", err))
	}
	sa, err := unix.Getsockname(c.fd)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", c.fd, os.NewSyscallError("getsockname", err))
	}
	var port int
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		port = sa.Port
	case *unix.SockaddrInet6:
		port = sa.Port
	default:
		return nil, fmt.Errorf("descriptor %d is no TCP socket", c.fd)
	}
	// Accepted sockets inherit it.
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", c.fd, os.NewSyscallError("setsockopt", err))
	}
	via := &transport{port: strconv.AppendInt(nil, int64(port), 10), proto: protoHTTP}
	return &listener{w: e.workers[c.loop], fd: c.fd, via: via}, nil
}

// setAccepting has every loop stop, or go on, taking connections.
func (e *engine) setAccepting(on bool) {
	for _, w := range e.workers {
		w.Post(func() { w.setAccepting(on) })
	}
}

func (e *engine) connections() (n ConnCounts) {
	for _, w := range e.workers {
		n.Total += w.total.Load()
		n.InFlight += w.inFlight.Load()
		n.Tunnels += w.tunnels.Load()
	}
	return n
}

// backendDown is called by the checker that found b down.
func (e *engine) backendDown(b *Backend) {
	for _, w := range e.workers {
		w.Post(func() { w.backendDown(b) })
	}
}

// room has every loop look whether it can accept connections of f again.
func (e *engine) room(f *frontend) {
	for _, w := range e.workers {
		w.Post(func() {
			for _, l := range w.listeners {
				l.full = l.full && l.f != f
			}
			w.listen()
		})
	}
}

// deferAccept has the kernel keep a connection until its client has said something,
// for a few seconds at most: unless the server may have the first word.
func deferAccept(fd int, serverFirst bool) {
	seconds := 5
	if serverFirst {
		seconds = 0
	}
	loop.SetInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds)
}

// leave has every loop ask its HTTP/2 clients to open no more streams here.
func (e *engine) leave() {
	for _, w := range e.workers {
		w.Post(func() {
			for h := range w.sessions {
				h.leave()
			}
		})
	}
}
