package loop

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// running starts a loop and returns it with a way to call its methods.
func running(t *testing.T, progress *uint64) (l *Loop, do func(func()), stop func()) {
	t.Helper()
	l, err := New(progress)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return l, func(f func()) {
		done := make(chan bool)
		if !l.Post(func() { f(); close(done) }) {
			t.Fatal("Post refused")
		}
		<-done
	}, stop
}

func pair(t *testing.T) (a, b int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

// handler is a Handler made of a function.
type handler func(Events)

func (h handler) Ready(ev Events) { h(ev) }

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestEventsReachTheirHandler(t *testing.T) {
	l, do, _ := running(t, nil)
	a, b := pair(t)
	var got, hung atomic.Int32
	do(func() {
		_, err := l.Register(a, handler(func(ev Events) {
			var buf [16]byte
			for ev&Readable != 0 {
				n, errno := Read(a, buf[:])
				if n == 0 || errno != 0 {
					break
				}
				got.Add(int32(n))
			}
			if ev&HangUp != 0 {
				hung.Store(1)
			}
		}), Edge)
		if err != nil {
			t.Error(err)
		}
	})
	for i := range 5 {
		if n, errno := Write(b, []byte("hello")); n != 5 || errno != 0 {
			t.Fatal(n, errno)
		}
		wait(t, "bytes", func() bool { return got.Load() == int32(5*(i+1)) })
	}
	Close(b)
	wait(t, "end", func() bool { return hung.Load() == 1 })
}

// Two descriptors become ready in one batch; the first handler closes the
// second and opens another under the same number and the same place in the
// table. The queued event must not reach the newcomer.
func TestEventOfAClosedDescriptorDoesNotReachItsSuccessor(t *testing.T) {
	l, do, _ := running(t, nil)
	var peers []int
	var wrong, closed atomic.Int32
	do(func() {
		a0, a1 := pair(t)
		b0, b1 := pair(t)
		peers = []int{a1, b1}
		tokens := map[int]Token{}
		register := func(fd int, h handler) { tokens[fd], _ = l.Register(fd, h, Edge) }
		first := true
		killOther := func(other int) handler {
			return func(ev Events) {
				if ev&Readable == 0 || !first {
					return
				}
				first = false
				place := uint32(tokens[other])
				l.Close(tokens[other])
				c0, c1 := pair(t)
				peers = append(peers, c1)
				register(c0, func(ev Events) {
					if ev&Readable != 0 {
						wrong.Add(1)
					}
				})
				if c0 != other || uint32(tokens[c0]) != place {
					t.Errorf("the test reuses nothing: fd %d for %d", c0, other)
				}
				closed.Add(1)
			}
		}
		register(a0, killOther(b0))
		register(b0, killOther(a0))
		_, _ = Write(a1, []byte("x"))
		_, _ = Write(b1, []byte("x"))
	})
	wait(t, "one handler closes the other", func() bool { return closed.Load() == 1 })
	do(func() {})
	do(func() {})
	if wrong.Load() != 0 {
		t.Error("a stale event reached the successor")
	}
	for _, fd := range peers {
		Close(fd)
	}
}

func TestAgainComesAfterOtherDescriptorsHadTheirTurn(t *testing.T) {
	l, do, _ := running(t, nil)
	greedy, g := pair(t)
	modest, m := pair(t)
	var rounds int
	var served atomic.Bool
	do(func() {
		var token Token
		token, _ = l.Register(greedy, handler(func(ev Events) {
			rounds++
			if rounds == 3 {
				_, _ = Write(m, []byte("x"))
			}
			if !served.Load() {
				l.Again(token)
			}
		}), Edge)
		_, _ = l.Register(modest, handler(func(ev Events) {
			if ev&Readable != 0 {
				served.Store(true)
			}
		}), Edge)
		_, _ = Write(g, []byte("x"))
	})
	wait(t, "the modest one is served", served.Load)
	Close(g)
	Close(m)
}

// deadline is an Expirer made of a function.
type deadline func()

func (d deadline) Expired() { d() }

// More is ready than one round takes: timers that have run out meanwhile wait for all of it.
func TestWhatIsReadyComesBeforeTimersThatHaveRunOut(t *testing.T) {
	const n = 3*batch + 5
	l, do, _ := running(t, nil)
	var handled, early int
	var fired atomic.Bool
	var timer Timer
	do(func() {
		for range n {
			fd, peer := pair(t)
			t.Cleanup(func() { Close(peer) })
			seen := false
			_, err := l.Register(fd, handler(func(ev Events) {
				if ev&Readable != 0 && !seen {
					seen = true
					handled++
				}
			}), Edge)
			if err != nil {
				t.Error(err)
			}
			_, _ = Write(peer, []byte("x"))
		}
		l.Wheel.Set(&timer, deadline(func() { early = n - handled; fired.Store(true) }), l.Now())
		time.Sleep(3 * tick) // the loop stands still
	})
	wait(t, "the timer", fired.Load)
	if early != 0 {
		t.Errorf("the timer ran before %d of %d events", early, n)
	}
}

// Nor do they wait for ever.
func TestTimersFireInALoopThatIsAlwaysBusy(t *testing.T) {
	l, do, _ := running(t, nil)
	var fired atomic.Bool
	var timer Timer
	do(func() {
		for range 2 * batch {
			fd, peer := pair(t)
			t.Cleanup(func() { Close(peer) })
			_, err := l.Register(fd, handler(func(Events) {
				if !fired.Load() {
					_, _ = Write(peer, []byte("x")) // so that there is a next event
				}
			}), Edge)
			if err != nil {
				t.Error(err)
			}
			_, _ = Write(peer, []byte("x"))
		}
		l.Wheel.Set(&timer, deadline(func() { fired.Store(true) }), l.Now())
	})
	wait(t, "the timer", fired.Load)
}

func TestBusyLoopMovesItsProgressWordToo(t *testing.T) {
	var word uint64
	l, do, _ := running(t, &word)
	var seen uint64
	var calls, most int
	var total atomic.Int64
	do(func() {
		for range 500 {
			fd, peer := pair(t)
			t.Cleanup(func() { Close(peer) })
			var token Token
			token, _ = l.Register(fd, handler(func(Events) {
				if now := atomic.LoadUint64(&word); now != seen {
					seen, calls = now, 0
				}
				calls++
				most = max(most, calls)
				total.Add(1)
				l.Again(token)
			}), Edge)
		}
	})
	wait(t, "many calls", func() bool { return total.Load() > 20_000 })
	do(func() {
		if most > 2*batch {
			t.Errorf("%d calls without progress, want at most %d", most, 2*batch)
		}
	})
}

func TestPostedFunctionsRunInOrderAndNotAfterTheEnd(t *testing.T) {
	l, do, stop := running(t, nil)
	var got []int
	for i := range 100 {
		l.Post(func() { got = append(got, i) })
	}
	do(func() {})
	if len(got) != 100 || !slices.IsSorted(got) {
		t.Errorf("got %v", got)
	}
	stop()
	if l.Post(func() { t.Error("ran after the end") }) {
		t.Error("Post was accepted after the end")
	}
}

func TestRegisteredDescriptorsAreClosedAtTheEnd(t *testing.T) {
	l, do, stop := running(t, nil)
	a, b := pair(t)
	defer Close(b)
	do(func() { _, _ = l.Register(a, handler(func(Events) {}), Edge) })
	stop()
	if n, errno := Read(b, make([]byte, 1)); n != 0 || errno != 0 {
		t.Errorf("the peer sees %d, %v: want the end", n, errno)
	}
}

func TestIdleLoopMovesItsProgressWord(t *testing.T) {
	var word uint64
	running(t, &word)
	for range 3 {
		was := atomic.LoadUint64(&word)
		wait(t, "progress", func() bool { return atomic.LoadUint64(&word) > was })
	}
}

func TestConnectAcceptAndQuiet(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		addr := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
		family := unix.AF_INET
		var sa unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
		if addr.Addr().Is6() {
			family, sa = unix.AF_INET6, &unix.SockaddrInet6{Addr: addr.Addr().As16()}
		}
		ln, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(ln, sa); err != nil {
			testneed.Missing(t, "address %s: %v; enable IPv6 with `sysctl net.ipv6.conf.lo.disable_ipv6=0`", ip, err)
		}
		if err := unix.Listen(ln, 1); err != nil {
			t.Fatal(err)
		}
		to := LocalAddr(ln)
		fd, errno := Connect(to, 1000)
		if errno != 0 && errno != unix.EINPROGRESS {
			t.Fatal(errno)
		}
		var conn int
		var from netip.AddrPort
		wait(t, "connection", func() bool { conn, from, errno = Accept(ln); return errno == 0 })
		if from != LocalAddr(fd) || from.Addr() != addr.Addr() {
			t.Errorf("accepted from %v, want %v", from, LocalAddr(fd))
		}
		wait(t, "connected", func() bool { return SocketError(fd) == 0 && Quiet(fd) })
		_, _ = Write(conn, []byte("x"))
		wait(t, "a byte disturbs the quiet", func() bool { return !Quiet(fd) })
		_, _ = Read(fd, make([]byte, 8))
		if !Quiet(fd) {
			t.Error("not quiet after all was read")
		}
		Close(conn)
		wait(t, "the end disturbs the quiet", func() bool { return !Quiet(fd) })
		Close(fd)
		Close(ln)
		fd, errno = Connect(to, 1000)
		if errno == unix.EINPROGRESS {
			wait(t, "refused", func() bool { return SocketError(fd) == unix.ECONNREFUSED })
			Close(fd)
		} else if errno != unix.ECONNREFUSED {
			t.Errorf("connecting to a closed port: %v", errno)
		}
	}
}
