package lbcore

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

var errHandshake = errors.New("no connection in time")

// upstream is one connection to a backend. It is in exactly one of its
// backend's two lists.
type upstream struct {
	w          *worker
	b          *Backend
	x          *exchange // nil while idle
	list       *upList
	next, prev *upstream
	token      loop.Token
	timer      loop.Timer
	last       time.Duration // of progress, while the backend is waited for
	patience   time.Duration // TCP_USER_TIMEOUT as set
	fd         int32
	tls        *secured // nil: none
	trunk      *h2trunk // what speaks HTTP/2 on this connection; nil: nothing
	stream     *h2call  // that is all there is of this connection; nil: it is one

	connecting         bool
	reused             bool
	readable, writable bool
	eof                bool
	spoilt             bool // must not be used again
}

// upstreams are one loop's connections to one backend. Those that speak HTTP/2 are in trunks, and each of their streams
// is a busy connection.
type upstreams struct {
	idle, busy upList
	trunks     []*h2trunk
}

// upList is a list of connections, newest first.
type upList struct {
	first *upstream
	n     int
}

func (l *upList) push(u *upstream) {
	u.list, u.prev, u.next = l, nil, l.first
	if l.first != nil {
		l.first.prev = u
	}
	l.first = u
	l.n++
}

func (u *upstream) unlink() {
	l := u.list
	if l == nil {
		return
	}
	if u.prev != nil {
		u.prev.next = u.next
	} else {
		l.first = u.next
	}
	if u.next != nil {
		u.next.prev = u.prev
	}
	u.list, u.prev, u.next = nil, nil, nil
	l.n--
}

func (u *upstream) slot() *backendSlot    { return &u.b.slots[u.w.slot] }
func (u *upstream) count() *backendCounts { return &u.slot().count }

// connect begins a connection to b for x; nil means that it failed at once and
// that x has been told.
func (w *worker) connect(b *Backend, x *exchange) *upstream {
	t := &x.pool.cfg.Timeouts
	patience := x.patience()
	u := &upstream{w: w, b: b, patience: patience, writable: true}
	fd, errno := loop.Connect(b.addr, int(patience.Milliseconds()))
	u.fd = int32(fd)
	var err error
	switch errno {
	case 0, unix.EINPROGRESS:
		u.connecting = errno != 0 || x.pool.tls != nil || x.pool.cfg.SendProxy != 0 || x.pool.cfg.http2()
		if u.token, err = w.Register(fd, u, loop.Edge); err != nil {
			loop.Close(fd)
		}
	default:
		err = errno
	}
	u.count().conns.Add(1)
	if err != nil {
		x.join(u)
		x.failed(connectFailed, err)
		return nil
	}
	u.count().connects.Add(1)
	w.Wheel.Set(&u.timer, u, w.Now()+t.Connect)
	return u
}

// popIdle returns the connection to b that was used last, or nil.
func (w *worker) popIdle(b *Backend) *upstream {
	u := b.slots[w.slot].conns.idle.first
	if u != nil {
		u.reused = true
	}
	return u
}

func (u *upstream) beBusy() {
	u.unlink()
	u.slot().conns.busy.push(u)
}

// release ends the connection's part in an exchange. It is kept for the next
// one if ok and nothing speaks against it.
func (u *upstream) release(ok bool) {
	x := u.x
	u.x = nil
	u.count().current.Add(-1)
	if x.held {
		x.held = false
		u.b.leave()
	}
	if u.stream != nil {
		u.close()
		return
	}
	t := &x.pool.cfg.Timeouts
	idle := &u.slot().conns.idle
	ok = ok && !x.raw && !u.sealedWaits() && x.pool.cfg.SendProxy == 0 && (!u.readable || u.quiet())
	if !ok || u.spoilt || u.eof || u.connecting || u.b.retired.Load() || !u.b.status.Load().up || idle.n >= x.pool.cfg.MaxIdle {
		u.close()
		return
	}
	u.unlink()
	idle.push(u)
	u.w.Wheel.Set(&u.timer, u, u.w.Now()+t.Idle)
}

// quiet reports whether there is really nothing to read, after something was told or could
// not be ruled out.
func (u *upstream) quiet() bool {
	switch {
	case u.stream != nil:
		return !u.stream.s.Readable()
	case u.tls != nil:
		return u.quietSecured()
	}
	u.readable = !loop.Quiet(int(u.fd))
	return !u.readable
}

func (u *upstream) close() {
	u.unlink()
	u.w.Wheel.Stop(&u.timer)
	switch {
	case u.stream != nil:
		u.stream.end(u)
		return
	case u.trunk != nil:
		u.trunk.end()
	}
	if u.token != 0 && (u.tls == nil || u.closeSecured()) {
		u.w.Close(u.token)
		u.token = 0
	}
	u.count().conns.Add(-1)
}

// setPatience bounds how long sent bytes may go unacknowledged.
func (u *upstream) setPatience(d time.Duration) {
	if u.patience != d && u.token != 0 {
		u.patience = d
		loop.SetInt(int(u.fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	}
}

// Ready implements loop.Handler.
func (u *upstream) Ready(ev loop.Events) {
	if ev&(loop.Readable|loop.HangUp|loop.Broken) != 0 {
		u.readable = true
	}
	if ev&loop.Writable != 0 {
		u.writable = true
	}
	if ev&(loop.HangUp|loop.Broken) != 0 {
		u.eof = true
	}
	if s := u.tls; s != nil {
		if s.shaking != nil {
			s.shaking.signal()
			return
		}
		s.told(ev)
	}
	if u.trunk != nil {
		u.trunk.pump()
		return
	}
	x := u.x
	if x != nil && ev&loop.Broken != 0 && x.tunnel.backendDone && !x.tunnel.clientDone {
		x.tunnel.backendGone = true
	}
	switch {
	case x == nil:
		// A kept connection has nothing to say but goodbye; but the event may be of what
		// has been read since.
		if u.eof || u.readable && !u.quiet() {
			u.close()
		}
		return
	case u.connecting && ev&(loop.Writable|loop.Broken) != 0:
		if errno := loop.SocketError(int(u.fd)); errno != 0 {
			c := x.c
			x.failed(connectFailed, errno)
			c.run()
			return
		}
		c := x.c
		u.connected()
		c.run()
		return
	}
	x.c.run()
}

// read fills buf; ok is false if nothing has come, n is 0 if the connection
// ended.
func (u *upstream) read(buf []byte) (n int, ok bool, errno syscall.Errno) {
	switch {
	case u.stream != nil:
		return u.readStream(buf)
	case u.tls != nil:
		return u.readSecured(buf)
	}
	n, errno = loop.Receive(int(u.fd), buf)
	if errno == unix.EAGAIN {
		u.readable = false
		return 0, false, 0
	}
	if n < len(buf) {
		u.readable = u.eof
	}
	u.last = u.w.Now()
	u.count().bytesIn.Add(uint64(n))
	return n, true, errno
}

// write sends as much of buf as the backend takes now; ok is false if the
// connection is gone.
func (u *upstream) write(buf []byte) (n int, ok bool) {
	switch {
	case u.stream != nil:
		return u.writeStream(buf)
	case u.tls != nil:
		return u.writeSecured(buf)
	}
	n, errno := loop.Write(int(u.fd), buf)
	if errno != 0 && errno != unix.EAGAIN {
		return 0, false
	}
	if n < len(buf) {
		u.writable = false
	}
	u.last = u.w.Now()
	u.count().bytesOut.Add(uint64(n))
	return n, true
}

// Expired implements loop.Expirer.
func (u *upstream) Expired() {
	x := u.x
	if x == nil {
		u.close()
		return
	}
	c := x.c
	if u.connecting {
		x.failed(connectTimeout, errHandshake)
	} else {
		x.failed(serverTimeout, nil)
	}
	c.run()
}

// backendDown closes the idle connections to b, and moves the requests that
// still wait for its answer and may be repeated to other backends.
func (w *worker) backendDown(b *Backend) {
	conns := &b.slots[w.slot].conns
	for conns.idle.first != nil {
		conns.idle.first.close()
	}
	for _, t := range slices.Clone(conns.trunks) {
		t.retire()
	}
	// Those that move leave the list; new ones are not added while b is down.
	for u := conns.busy.first; u != nil; {
		next := u.next
		if x := u.x; !x.answered {
			c := x.c
			x.failed(declaredDown, errEnded)
			c.run()
		}
		u = next
	}
}
