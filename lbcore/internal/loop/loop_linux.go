package loop

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MaxSleep bounds one sleep of an idle loop; so its progress word moves at
	// least this often.
	MaxSleep = 50 * time.Millisecond
	// batch bounds the events, and the calls of Again, of one round, so that the
	// progress word moves often enough on a busy loop too: a handler may move a
	// megabyte, which takes about half a millisecond.
	batch = 64
)

// Events says what happened to a descriptor. It may be told too much (spurious)
// but never too little.
type Events uint32

// The events. HangUp means that the peer has sent its end of stream; Broken,
// that the connection is gone in both directions. Again is no event of the
// descriptor: it answers Loop.Again.
const (
	Readable Events = unix.EPOLLIN
	Writable Events = unix.EPOLLOUT
	HangUp   Events = unix.EPOLLRDHUP
	Broken   Events = unix.EPOLLERR | unix.EPOLLHUP
	Again    Events = 1 << 31
)

// Handler gets the events of one descriptor.
type Handler interface{ Ready(Events) }

// Token names a registered descriptor. The zero value names none.
type Token uint64

// Trigger is how a descriptor tells its events.
type Trigger uint32

// Edge tells a change once, in both directions; Level tells as long as it is
// readable (for listeners).
const (
	Edge  Trigger = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff
	Level Trigger = unix.EPOLLIN
)

type entry struct {
	handler Handler
	fd      int32
	gen     uint32
}

// entries is a list that grows by pieces: a slice that moves as it grows would leave
// more behind for the collector than all entries need.
type entries struct {
	pieces []*[pieceSize]entry
	n      uint32
}

const pieceSize = 256

func (s *entries) at(i uint32) *entry { return &s.pieces[i/pieceSize][i%pieceSize] }

// grow adds an entry and returns its index.
func (s *entries) grow() uint32 {
	if s.n%pieceSize == 0 {
		s.pieces = append(s.pieces, new([pieceSize]entry))
	}
	s.n++
	return s.n - 1
}

// Loop is one event loop. See the package's rules for who may call what.
type Loop struct {
	Wheel *Wheel

	epoll    int
	wake     int // eventfd
	progress *uint64
	origin   time.Time
	now      time.Duration
	entries  entries
	free     []uint32 // indices of unused entries
	again    []Token
	redo     []Token // those of again whose turn it is
	events   []unix.EpollEvent
	stopped  bool

	mu     sync.Mutex // guards posted and ended
	posted []func()
	ended  bool
}

// New makes a loop that counts its rounds in progress, if not nil.
func New(progress *uint64) (*Loop, error) {
	if progress == nil {
		progress = new(uint64)
	}
	l := &Loop{
		Wheel:    NewWheel(0),
		progress: progress,
		origin:   time.Now(),
		events:   make([]unix.EpollEvent, batch),
	}
	l.entries.grow() // entry 0 is the eventfd's
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		Close(l.epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := l.control(unix.EPOLL_CTL_ADD, l.wake, 0, Level); err != nil {
		l.Discard()
		return nil, err
	}
	return l, nil
}

// Discard closes a loop that will not run.
func (l *Loop) Discard() {
	Close(l.epoll)
	Close(l.wake)
}

// Origin is when the loop was made.
func (l *Loop) Origin() time.Time { return l.origin }

// Now is the time since the loop was made, as of the current round.
func (l *Loop) Now() time.Duration { return l.now }

// Register makes h get the events of fd, which the loop owns from now on.
func (l *Loop) Register(fd int, h Handler, t Trigger) (Token, error) {
	var i uint32
	if n := len(l.free); n > 0 {
		i, l.free = l.free[n-1], l.free[:n-1]
	} else {
		i = l.entries.grow()
	}
	e := l.entries.at(i)
	e.handler, e.fd = h, int32(fd)
	e.gen++
	token := Token(e.gen)<<32 | Token(i)
	if err := l.control(unix.EPOLL_CTL_ADD, fd, token, t); err != nil {
		e.handler = nil
		l.free = append(l.free, i)
		return 0, err
	}
	return token, nil
}

// Pause keeps a descriptor registered but silent; Resume ends that.
func (l *Loop) Pause(t Token) {
	_ = l.control(unix.EPOLL_CTL_MOD, int(l.entries.at(uint32(t)).fd), t, 0)
}

// Resume makes a paused descriptor tell its events again.
func (l *Loop) Resume(t Token, tr Trigger) {
	_ = l.control(unix.EPOLL_CTL_MOD, int(l.entries.at(uint32(t)).fd), t, tr)
}

// Close closes a registered descriptor; its handler is not called again.
func (l *Loop) Close(t Token) {
	if e := l.lookup(t); e != nil {
		Close(int(e.fd))
		e.handler = nil
		l.free = append(l.free, uint32(t))
	}
}

// Remove is Close for a descriptor that has a copy, here or in another process.
// The copy would keep it in epoll: a connection that waits would wake the loop for
// ever, and the same socket could not come back under the same number.
func (l *Loop) Remove(t Token) {
	if e := l.lookup(t); e != nil {
		_ = l.control(unix.EPOLL_CTL_DEL, int(e.fd), t, 0)
		l.Close(t)
	}
}

// Rounds is the progress word. It may be called from any goroutine.
func (l *Loop) Rounds() uint64 { return atomic.LoadUint64(l.progress) }

// Again has the handler called with Again in the next round, after other
// descriptors have had their turn.
func (l *Loop) Again(t Token) { l.again = append(l.again, t) }

// Stop makes Run return after the current round.
func (l *Loop) Stop() { l.stopped = true }

// Post has f called on the loop's thread, soon. It may be called from any
// goroutine, and returns false, without calling f, once Run has ended.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.posted = append(l.posted, f)
	one := uint64(1)
	_, _ = unix.Write(l.wake, (*[8]byte)(unsafe.Pointer(&one))[:])
	return true
}

// Run handles events until ctx ends or Stop is called, on a thread of its own,
// then closes every registered descriptor.
func (l *Loop) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.end()
	defer context.AfterFunc(ctx, func() { l.Post(l.Stop) })()
	busy := false
	put := uint32(0) // rounds in which timers were put off
	for !l.stopped {
		atomic.AddUint64(l.progress, 1)
		n, err := l.wait(busy)
		if err != nil {
			return err
		}
		busy = n > 1 // then it is likely that more has come
		l.now = time.Since(l.origin)
		for i := range l.events[:n] {
			l.dispatch(&l.events[i])
		}
		l.runAgain()
		// A full batch says that more is waiting. It comes before the timers: after a pause of the
		// process, what came in time would else be taken for late.
		if put++; n < batch || put > l.entries.n/batch+1 {
			l.Wheel.Advance(l.now)
			put = 0
		}
	}
	return nil
}

func (l *Loop) dispatch(ev *unix.EpollEvent) {
	t := Token(uint32(ev.Pad))<<32 | Token(uint32(ev.Fd))
	if t == 0 {
		l.runPosted()
		return
	}
	if e := l.lookup(t); e != nil {
		e.handler.Ready(Events(ev.Events))
	}
}

// runAgain calls those that asked for it, the first of them first.
func (l *Loop) runAgain() {
	n := min(len(l.again), batch)
	l.redo = append(l.redo[:0], l.again[:n]...)
	l.again = append(l.again[:0], l.again[n:]...)
	for _, t := range l.redo {
		if e := l.lookup(t); e != nil {
			e.handler.Ready(Again)
		}
	}
}

// lookup returns nil if the descriptor was closed.
func (l *Loop) lookup(t Token) *entry {
	e := l.entries.at(uint32(t))
	if e.gen != uint32(t>>32) || e.handler == nil {
		return nil
	}
	return e
}

func (l *Loop) runPosted() {
	var buf [8]byte
	_, _ = Read(l.wake, buf[:])
	l.mu.Lock()
	todo := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range todo {
		f()
	}
}

// wait polls without telling the scheduler while there is work, and sleeps in a
// system call that the scheduler knows of when there was none.
func (l *Loop) wait(busy bool) (int, error) {
	if busy || len(l.again) > 0 {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), 0, 0, 0)
		if e == 0 && (n > 0 || len(l.again) > 0) {
			return int(n), nil
		}
	}
	if len(l.again) > 0 {
		return 0, nil
	}
	sleep := l.Wheel.Next(time.Since(l.origin), MaxSleep)
	ms := (sleep + time.Millisecond - 1) / time.Millisecond
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), uintptr(ms), 0, 0)
	switch e {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("epoll_pwait", e)
}

func (l *Loop) control(op, fd int, t Token, tr Trigger) error {
	ev := unix.EpollEvent{Events: uint32(tr), Fd: int32(uint32(t)), Pad: int32(uint32(t >> 32))}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(l.epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	if e != 0 {
		return fmt.Errorf("epoll_ctl of descriptor %d: %w", fd, e)
	}
	return nil
}

// end runs what was posted before it, and closes everything.
func (l *Loop) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.runPosted()
	for i := range l.entries.n {
		if e := l.entries.at(i); e.handler != nil {
			Close(int(e.fd))
			e.handler = nil
		}
	}
	l.Discard()
}
