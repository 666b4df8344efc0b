package lbcore

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

const (
	// acceptBatch bounds the connections taken in one turn.
	acceptBatch = 64
	// acceptPause is how long a loop that ran out of descriptors or kernel
	// memory waits; closing connections is what helps.
	acceptPause = 100 * time.Millisecond
)

// listener is one listening socket on one loop.
type listener struct {
	w     *worker
	f     *frontend
	fd    int
	via   *transport // of plain connections
	token loop.Token
	full  bool // of connections: see FrontendConfig.MaxConn

	mu     sync.Mutex // protects what follows, for share
	closed bool
}

// serve begins to accept connections for f, or goes on for another f.
func (l *listener) serve(f *frontend) {
	l.f = f
	if l.token != 0 {
		if l.full { // of another's
			l.full = false
			l.w.listen()
		}
		return
	}
	token, err := l.w.Register(l.fd, l, loop.Level)
	if err != nil {
		l.w.log.Error("cannot listen", "frontend", f.name, "err", err)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closed = true
		loop.Close(l.fd)
		return
	}
	l.token = token
	l.w.listeners = append(l.w.listeners, l)
	if l.w.full || l.w.stopped {
		l.w.Pause(token)
	}
}

// close accepts what is queued, which would be reset otherwise, and closes. Once
// accepting was stopped the queue is another process's, which has the same socket.
func (l *listener) close() {
	if l.token == 0 {
		return
	}
	for !l.w.stopped && l.acceptSome() {
	}
	l.drop()
}

// drop closes without a look at the queue.
func (l *listener) drop() {
	if l.token == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.w.Remove(l.token)
	l.token = 0
	l.w.listeners = slices.DeleteFunc(l.w.listeners, func(o *listener) bool { return o == l })
}

// Ready implements loop.Handler.
func (l *listener) Ready(loop.Events) { l.acceptSome() }

// acceptSome accepts a batch and reports whether there may be more.
func (l *listener) acceptSome() bool {
	w := l.w
	for range acceptBatch {
		if w.conns >= w.maxConns {
			w.pauseAccepting()
			return false
		}
		if !l.f.hasRoom() && !l.waitForRoom() {
			return false
		}
		fd, peer, errno := loop.Accept(l.fd)
		switch errno {
		case 0:
			w.newClient(l, fd, peer)
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			w.log.Warn("cannot accept; raise the limit of open files", "frontend", l.f.name, "err", errno, "conns", w.conns)
			w.pauseAccepting()
			w.Wheel.Set(&w.pause, w, w.Now()+acceptPause)
			return false
		default:
			return false
		}
	}
	return true
}

// waitForRoom leaves new connections in the kernel's queue until one of the frontend's others
// has ended. It reports whether one has just now.
func (l *listener) waitForRoom() bool {
	l.f.waiting.Store(true)
	if l.f.hasRoom() {
		return true
	}
	l.full = true
	l.f.slots[l.w.slot].full.Add(1)
	l.w.Pause(l.token)
	return false
}

// pauseAccepting leaves new connections in the kernel's queues until there is
// room again.
func (w *worker) pauseAccepting() {
	if !w.full {
		w.full = true
		w.listen()
	}
}

// resumeAccepting undoes pauseAccepting.
func (w *worker) resumeAccepting() {
	if w.full && !w.pause.Active() {
		w.full = false
		w.listen()
	}
}

// setAccepting is for Proxy.StopAccepting and StartAccepting.
func (w *worker) setAccepting(on bool) {
	w.stopped = !on
	w.listen()
}

// listen makes all listeners silent, or not, as the worker's state wants it.
func (w *worker) listen() {
	for _, l := range w.listeners {
		if w.full || w.stopped || l.full {
			w.Pause(l.token)
		} else {
			w.Resume(l.token, loop.Level)
		}
	}
}

// Expired implements loop.Expirer: the pause of accepting is over.
func (w *worker) Expired() { w.resumeAccepting() }
