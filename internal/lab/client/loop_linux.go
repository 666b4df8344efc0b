package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// loop is one thread that does everything: it starts what is due, moves every
// connection on, and gives up what took too long. No goroutine waits for
// another, so a time that is written down is the time at which it happened.
type loop struct {
	*Load
	ctx   context.Context
	epoll int
	timer int
	addr  unix.SockaddrInet4
	buf   [16 << 10]byte

	next  time.Duration // when the next request is due
	conns map[int]*conn // open, by descriptor
	order []*conn       // the same, oldest first; closed ones are skipped
}

// conn is one request's connection. It stays open after its answer until the
// server closes it, so that TIME_WAIT is the server's and the client does not
// run out of ports.
type conn struct {
	fd   int
	req  Request
	sent bool
	done bool // recorded
	shut bool // closed
	got  []byte
}

func (l *Load) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lp := &loop{Load: l, ctx: ctx, conns: make(map[int]*conn)}
	lp.addr = unix.SockaddrInet4{Port: int(l.cfg.Target.Port()), Addr: l.cfg.Target.Addr().As4()}
	var err error
	if lp.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(lp.epoll)
	if lp.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	defer unix.Close(lp.timer)
	tick := unix.NsecToTimespec(l.cfg.Interval.Nanoseconds())
	if err := unix.TimerfdSettime(lp.timer, 0, &unix.ItimerSpec{Interval: tick, Value: tick}, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	if err := lp.watch(lp.timer, unix.EPOLLIN); err != nil {
		return err
	}
	defer lp.closeAll()
	return lp.serve()
}

func (lp *loop) serve() error {
	lp.next = lp.log.Now()
	events := make([]unix.EpollEvent, 256)
	for lp.ctx.Err() == nil {
		n, err := unix.EpollWait(lp.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == lp.timer {
				_, _ = unix.Read(lp.timer, lp.buf[:8])
				continue
			}
			if c := lp.conns[int(ev.Fd)]; c != nil {
				lp.move(c)
			}
		}
		lp.giveUp()
		lp.startDue(lp.log.Now())
		lp.log.settle(lp.settled())
	}
	return nil
}

// catchUp is how many requests that are overdue are sent at once.
const catchUp = 25

// startDue begins what is due: the latest, if it is more than catchUp.
func (lp *loop) startDue(now time.Duration) {
	for ; now-lp.next >= catchUp*lp.cfg.Interval; lp.next += lp.cfg.Interval {
		lp.refuse(Request{Due: lp.next, Start: now}, Skipped)
	}
	for ; lp.next <= now; lp.next += lp.cfg.Interval {
		lp.start(lp.next)
	}
}

// start begins the request that was due at that time.
func (lp *loop) start(due time.Duration) {
	req := Request{Due: due, Start: lp.log.Now()}
	if len(lp.conns) >= lp.cfg.MaxOpen {
		lp.refuse(req, Overrun)
		return
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		lp.refuse(req, Local)
		return
	}
	if err := unix.Connect(fd, &lp.addr); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		lp.refuse(req, kindOf(err))
		return
	}
	if err := lp.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET); err != nil {
		unix.Close(fd)
		lp.refuse(req, Local)
		return
	}
	c := &conn{fd: fd, req: req}
	lp.conns[fd] = c
	lp.order = append(lp.order, c)
}

// move takes a connection as far as it will go now.
func (lp *loop) move(c *conn) {
	if !c.sent {
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			lp.fail(c, kindOf(unix.Errno(code)))
			return
		}
		// A fresh socket's buffer takes these hundred bytes whole or, while the
		// connection does not stand yet, refuses them.
		_, err := unix.Write(c.fd, lp.text)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOTCONN) {
			return
		}
		if err != nil {
			lp.fail(c, kindOf(err))
			return
		}
		c.sent = true
	}
	for !c.shut {
		n, err := unix.Read(c.fd, lp.buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil && c.done:
			lp.close(c)
		case err != nil:
			lp.fail(c, kindOf(err))
		default:
			lp.received(c, lp.buf[:n])
		}
	}
}

// received takes the next bytes, none at the end of the stream.
func (lp *loop) received(c *conn, b []byte) {
	eof := len(b) == 0
	if !c.done {
		c.got = append(c.got, b...)
		if a := parse(c.got, eof, lp.cfg.NameHeader); a.done {
			c.req.Code, c.req.From = a.code, a.from
			lp.record(c, a.fail)
		}
	}
	if eof || c.req.Fail == Malformed {
		lp.close(c)
	}
}

// giveUp ends what is older than the timeout.
func (lp *loop) giveUp() {
	now := lp.log.Now()
	for len(lp.order) > 0 {
		c := lp.order[0]
		if !c.shut {
			if now-c.req.Start < lp.cfg.Timeout {
				return
			}
			lp.fail(c, Timeout)
		}
		lp.order[0] = nil
		lp.order = lp.order[1:]
	}
}

// settled is the due time of the oldest request that has not ended.
func (lp *loop) settled() time.Duration {
	for _, c := range lp.order {
		if !c.done {
			return c.req.Due
		}
	}
	return lp.next
}

// fail records the failure, unless the answer was complete before, and drops
// the connection with a reset: nothing of it shall linger in the kernel.
func (lp *loop) fail(c *conn, why Kind) {
	if !c.done {
		lp.record(c, why)
	}
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	lp.close(c)
}

func (lp *loop) record(c *conn, why Kind) {
	c.done, c.got = true, nil
	c.req.End, c.req.Fail = lp.log.Now(), why
	lp.log.add(c.req)
}

func (lp *loop) refuse(r Request, why Kind) {
	r.End, r.Fail = lp.log.Now(), why
	lp.log.add(r)
}

func (lp *loop) close(c *conn) {
	c.shut = true
	delete(lp.conns, c.fd)
	unix.Close(c.fd)
}

func (lp *loop) closeAll() {
	for _, c := range lp.conns {
		lp.close(c)
	}
}

func (lp *loop) watch(fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(lp.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

func kindOf(err error) Kind {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return Refused
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return Reset
	case errors.Is(err, unix.ETIMEDOUT):
		return Timeout
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ENETDOWN):
		return Unreachable
	}
	return Local
}
