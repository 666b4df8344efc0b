package keeper

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
)

// sender sends this node's adverts from a thread of its own, at every interval and
// whenever it is kicked. What it says comes from the loop; whether this node serves it
// finds out itself at the moment of sending, so that a loop that hangs cannot go on being
// advertised as active (E3).
type sender struct {
	sock     *advertSocket
	trust    *trust
	interval time.Duration
	serving  func(now time.Time) bool

	says atomic.Pointer[election.Advert] // of the loop; the sender fills in Seq and Late
	to   atomic.Pointer[[]target]
	// alsoTo is one more place for the next advert only: the multicast group, once a second.
	alsoTo atomic.Pointer[netip.AddrPort]
	greets greetings
	kickd  int                        // eventfd
	buf    [election.MaxDatagram]byte // of the datagram that is being sent

	seq    atomic.Uint64 // of the last datagram
	sent   atomic.Uint64 // datagrams
	rounds atomic.Uint64 // times that all peers were sent one
	late   lateness
	log    *slog.Logger
}

// target is where adverts go, and who was last heard from there; "" for nobody yet.
type target struct {
	addr netip.AddrPort
	node string
}

func newSender(sock *advertSocket, interval time.Duration, serving func(time.Time) bool, log *slog.Logger) (*sender, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("adverts: eventfd: %w", err)
	}
	s := &sender{
		sock: sock, trust: sock.trust, interval: interval, serving: serving, kickd: fd, log: log,
		greets: greetings{first: interval, due: make(map[netip.AddrPort]greeting)},
	}
	s.to.Store(new([]target))
	return s, nil
}

// kick makes the sender send now.
func (s *sender) kick() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(s.kickd, one[:]) // an error means that a kick is pending, or that it is over
}

// flush returns when what the loop said last has been sent, or after bound.
func (s *sender) flush(bound time.Duration) {
	want := s.rounds.Load() + 2 // a round may be under way that began before
	s.kick()
	for end := time.Now().Add(bound); s.rounds.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		s.kick()
	}
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context) error {
	runtime.LockOSThread()              // for good: no other work holds it up
	if unix.Gettid() == unix.Getpid() { // the first thread, whose name is the process's: held while another sends
		done := make(chan error)
		go func() { done <- s.run(ctx) }()
		return <-done
	}
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData("adverts\x00"))), 0, 0, 0) // as top -H shows it
	stop := context.AfterFunc(ctx, s.kick)
	defer stop()
	next := time.Now()
	for ctx.Err() == nil {
		s.sleep(time.Until(next))
		now := time.Now()
		s.late.observe(now, now.Sub(next))
		s.send(now)
		s.rounds.Add(1)
		next = now.Add(s.interval)
	}
	unix.Close(s.kickd)
	return nil
}

// sleep waits for d, or for a kick, which it consumes.
func (s *sender) sleep(d time.Duration) {
	if d < 0 {
		d = 0
	}
	timeout := unix.NsecToTimespec(int64(d))
	fds := []unix.PollFd{{Fd: int32(s.kickd), Events: unix.POLLIN}}
	if n, err := unix.Ppoll(fds, &timeout, nil); err != nil || n == 0 {
		return
	}
	var buf [8]byte
	unix.Read(s.kickd, buf[:])
}

// send sends one advert to each peer, sealed for it. Where nobody is known yet, or no session
// stands, it sends a greeting instead (E2).
func (s *sender) send(now time.Time) {
	a, ok := s.compose(now, 0)
	if !ok {
		return
	}
	if group := s.alsoTo.Swap(nil); group != nil {
		datagram := s.trust.hails.Load().call
		if datagram == nil {
			datagram = s.seal(s.buf[:0], "", &a)
		}
		s.write(datagram, *group)
	}
	for _, to := range *s.to.Load() {
		datagram := s.seal(s.buf[:0], to.node, &a)
		switch {
		case datagram != nil:
			s.greets.done(to.addr)
		case s.greets.next(to.addr, now):
			datagram = s.trust.hails.Load().greet
		default:
			continue
		}
		s.write(datagram, to.addr)
	}
}

func (s *sender) write(datagram []byte, to netip.AddrPort) {
	// An error here is a peer that is away; its absence shows in what it does not send.
	if _, err := s.sock.conn.WriteToUDPAddrPort(datagram, to); err == nil {
		s.sent.Add(1)
	}
}

// answer is what this node says at this moment to a node that asked with this nonce. It may be
// called from any goroutine. nil: nothing.
func (s *sender) answer(node string, nonce uint64) []byte {
	a, ok := s.compose(time.Now(), nonce)
	if !ok {
		return nil
	}
	return s.seal(nil, node, &a)
}

// seal appends the datagram for one node to dst; nil while there is no session with it.
func (s *sender) seal(dst []byte, node string, a *election.Advert) []byte {
	datagram, err := s.trust.seal(dst, node, a)
	if err != nil {
		s.log.Error("advert not sent", "to", node, "err", err)
	}
	return datagram
}

// compose is what this node says at this moment; echo is the nonce of the question that it
// answers, or 0. False: the loop has not spoken yet.
func (s *sender) compose(now time.Time, echo uint64) (a election.Advert, ok bool) {
	says := s.says.Load()
	if says == nil {
		return a, false
	}
	a = *says
	a.Echo = echo
	a.Seq = s.seq.Add(1)
	a.Late = s.late.worst(now) // the sender's own: whatever the loop does, it is this thread that keeps the beat
	if !s.serving(now) {
		a.Groups = slices.Clone(a.Groups)
		for i := range a.Groups {
			a.Groups[i].Priority = 0 // yield
		}
	}
	return a, true
}

// greetEvery is how often an address is greeted from which nothing comes.
const greetEvery = time.Second

// greetings says when which address is greeted: at once, then after one interval, two, four, and
// so on, so that an exchange of which a datagram is lost ends soon; at last once a second.
type greetings struct {
	first time.Duration
	due   map[netip.AddrPort]greeting // of the addresses that have been greeted, at most maxPeers
}

type greeting struct {
	at   time.Time
	wait time.Duration
}

// next says whether it is time, and counts on that it is done.
func (g *greetings) next(to netip.AddrPort, now time.Time) bool {
	d, known := g.due[to]
	if known && now.Before(d.at) {
		return false
	}
	if !known && len(g.due) >= maxPeers {
		clear(g.due) // of addresses that are no peer's any more
	}
	d.wait = min(max(g.first, 2*d.wait), greetEvery)
	d.at = now.Add(d.wait)
	g.due[to] = d
	return true
}

// done says that an address need not be greeted; when it must be again, it is at once.
func (g *greetings) done(to netip.AddrPort) { delete(g.due, to) }

// latenessSpan is how long a delay is remembered, at least, and twice that at most: long
// enough to tell a busy machine by it, short enough to be as quick as ever when it is calm.
const latenessSpan = 5 * time.Second

// lateness keeps the worst delay of late, in two buckets (E13).
type lateness struct {
	mu       sync.Mutex // protects what follows
	now, old time.Duration
	turned   time.Time
}

// observe takes in one delay. One of a second or more is no jitter but a pause of this
// process: whoever is paused that long has lost its place, and is not to be waited for.
func (l *lateness) observe(at time.Time, d time.Duration) {
	if d >= time.Second {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(at)
	l.now = max(l.now, d)
}

func (l *lateness) worst(at time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(at)
	return max(l.now, l.old)
}

func (l *lateness) turn(at time.Time) {
	if at.Sub(l.turned) >= latenessSpan {
		l.now, l.old, l.turned = 0, l.now, at
	}
}
