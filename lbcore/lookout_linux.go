package lbcore

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// A loop looks at the others every lookEvery, which also makes its own progress
// word move so often. One that has not moved for stillLooks looks stands still.
const (
	lookEvery  = 40 * time.Millisecond
	stillLooks = 2
)

// A lookout is a loop's eye on the others. Each loop has its own listening
// sockets, and the kernel gives each its share of the new connections: those of a
// loop that is stuck would wait until the keeper replaces the process (E3). So the
// others accept them meanwhile. A loop that was only slow loses nothing by it: two
// may accept from one socket.
type lookout struct {
	w      *worker
	all    *atomic.Pointer[[]served]
	timer  loop.Timer
	others []neighbour
}

// neighbour is another loop.
type neighbour struct {
	w      *worker
	rounds uint64 // at the last look
	still  int    // looks since it moved
	guests map[*listener]*listener
}

// served is a listener and whom it listens for. The loops read all there are from
// a slice that is never changed.
type served struct {
	l *listener
	f *frontend
}

// lookOut makes each loop look at the others. It is called before they run.
func (e *engine) lookOut() {
	for _, w := range e.workers {
		o := &lookout{w: w, all: &e.listening}
		for _, other := range e.workers {
			if other != w {
				o.others = append(o.others, neighbour{w: other, guests: make(map[*listener]*listener)})
			}
		}
		if len(o.others) > 0 {
			w.Wheel.Set(&o.timer, o, lookEvery)
		}
	}
}

// Expired implements loop.Expirer.
func (o *lookout) Expired() {
	for i := range o.others {
		o.look(&o.others[i])
	}
	o.w.Wheel.Set(&o.timer, o, o.w.Now()+lookEvery)
}

func (o *lookout) look(n *neighbour) {
	if rounds := n.w.Rounds(); rounds != n.rounds {
		n.rounds, n.still = rounds, 0
		if len(n.guests) > 0 {
			o.w.log.Info("another loop moves again and accepts for itself", "other", n.w.slot)
			o.standIn(n, nil)
		}
		return
	}
	if n.still++; n.still >= stillLooks {
		if n.still == stillLooks {
			o.w.log.Warn("another loop stands still: this one accepts its new connections", "other", n.w.slot)
		}
		if all := o.all.Load(); all != nil {
			o.standIn(n, *all)
		}
	}
}

// standIn makes this loop accept on those of all that are n's, and no others.
func (o *lookout) standIn(n *neighbour, all []served) {
	wanted := make(map[*listener]bool)
	for _, s := range all {
		if s.l.w != n.w {
			continue
		}
		wanted[s.l] = true
		if g := n.guests[s.l]; g != nil {
			g.serve(s.f)
		} else if fd, ok := s.l.share(); ok {
			g := &listener{w: o.w, fd: fd, via: s.l.via}
			g.serve(s.f)
			n.guests[s.l] = g
		}
	}
	for l, g := range n.guests {
		if !wanted[l] {
			g.drop()
			delete(n.guests, l)
		}
	}
}

// share returns another descriptor of the socket, for another loop. It never
// waits for the loop whose socket it is, which may be stuck anywhere.
func (l *listener) share() (fd int, ok bool) {
	if !l.mu.TryLock() {
		return 0, false
	}
	defer l.mu.Unlock()
	if l.closed {
		return 0, false
	}
	fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
	return fd, err == nil
}
