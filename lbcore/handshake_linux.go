package lbcore

import (
	"context"
	"crypto/tls"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// maxHandshakes bounds those under way with one loop's clients: each has a goroutine,
// and about 30 KiB. Further ones wait; their time runs.
const maxHandshakes = 1000

// handshake is a TLS handshake in a goroutine of its own: its computing, about a
// millisecond with an RSA key, must not hold up a loop. The loop waits for events and
// wakes it; until it is over nobody closes the descriptor.
type handshake struct {
	s       *secured
	first   []byte        // what the loop has read already
	wake    chan struct{} // one place: something happened to the descriptor
	aborted atomic.Bool
}

// shake does the handshake of s beside the loop, then calls done on it.
func (w *worker) shake(s *secured, first []byte, done func(error)) {
	h := &handshake{s: s, first: append([]byte(nil), first...), wake: make(chan struct{}, 1)}
	s.shaking = h
	w.underway[h] = struct{}{}
	if w.settled {
		h.abort()
	}
	w.shaking.Add(1)
	go func() {
		defer w.shaking.Done()
		err := s.conn.HandshakeContext(context.Background())
		w.Post(func() {
			delete(w.underway, h)
			s.shaking = nil
			done(err)
		})
	}()
}

// signal tells that something happened to the descriptor.
func (h *handshake) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// abort makes the handshake fail, soon.
func (h *handshake) abort() {
	h.aborted.Store(true)
	h.signal()
}

func (h *handshake) read(p []byte) (int, error) {
	if n := copy(p, h.first); n > 0 {
		if h.first = h.first[n:]; len(h.first) == 0 {
			h.first = nil
		}
		return n, nil
	}
	for {
		if h.aborted.Load() {
			return 0, errAborted
		}
		n, errno := loop.Receive(int(h.s.fd), p)
		switch {
		case errno == unix.EAGAIN:
			<-h.wake
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (h *handshake) write(p []byte) (int, error) {
	for n := 0; ; {
		if h.aborted.Load() {
			return n, errAborted
		}
		k, errno := loop.Write(int(h.s.fd), p[n:])
		if n += k; n == len(p) {
			return n, nil
		}
		if errno != 0 && errno != unix.EAGAIN {
			return n, errno
		}
		<-h.wake
	}
}

// secure makes a client's connection one that begins with a handshake.
func (c *client) secure(server *tlsServer) {
	s := &secured{w: c.w, fd: c.fd}
	s.conn = tls.Server(s, server.config(time.Now()))
	via := *c.via
	via.proto, via.tls = protoHTTPS, s
	c.via = &via
	c.phase = phaseHandshake
	c.w.Wheel.Set(&c.timer, c, c.w.Now()+c.timeouts().Handshake)
}

// greet waits for the first bytes of a client, which begin its handshake: who sends
// none costs no more than any connection.
func (c *client) greet() bool {
	s := c.via.tls
	if s.shaking != nil || s.queued || !c.readable || c.token == 0 && !c.watch() {
		return false
	}
	if c.w.handshakes >= c.w.maxHandshakes {
		c.w.greeting = append(c.w.greeting, c)
		s.queued = true
		return false
	}
	n, ok := c.receive(c.w.rbuf)
	if !ok {
		if c.eof || c.broken {
			c.count().tls.gone.Add(1)
			c.close()
		}
		return false
	}
	c.w.handshakes++
	c.w.shake(s, c.w.rbuf[:n], c.shaken)
	return false
}

// shaken is called when the handshake is over.
func (c *client) shaken(err error) {
	c.w.handshakes--
	c.w.greetNext()
	n := &c.count().tls
	if err != nil {
		n.failed(err)
		loop.CloseWrite(int(c.fd)) // behind an alert that says why
		c.linger()
		c.run()
		return
	}
	n.handshakes.Add(1)
	if c.via.tls.conn.ConnectionState().DidResume {
		n.resumed.Add(1)
	}
	c.readable, c.writable = true, true
	if v := c.f.view.Load(); v.cfg.Mode == ModeTCP {
		c.passOn(v)
		c.run()
		return
	}
	c.w.Wheel.Set(&c.timer, c, c.w.Now()+c.timeouts().Header)
	if c.via.tls.conn.ConnectionState().NegotiatedProtocol == alpnHTTP2 {
		c.speakHTTP2(nil)
	} else {
		c.phase = phaseHead
	}
	c.run()
}

// giveUpHandshake ends one that takes too long.
func (c *client) giveUpHandshake() {
	c.count().tls.timeout.Add(1)
	if h := c.via.tls.shaking; h != nil {
		h.abort() // and then it is over
		return
	}
	c.close()
}

// greetNext lets one that waits begin.
func (w *worker) greetNext() {
	for len(w.greeting) > 0 {
		c := w.greeting[0]
		w.greeting = w.greeting[1:]
		if c.phase == phaseHandshake {
			c.via.tls.queued = false
			w.Again(c.token)
			return
		}
	}
}

// settle ends what goroutines do with the loop's descriptors, for good. The loop still
// runs, and is about to be stopped.
func (w *worker) settle() {
	told := make(chan struct{})
	if w.Post(func() {
		w.settled = true
		for h := range w.underway {
			h.abort()
		}
		close(told)
	}) {
		<-told
		w.shaking.Wait()
	}
}
