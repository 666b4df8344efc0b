package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	maxForwarded = 128             // connections at a time in one forward; more wait in the backlog
	dialLimit    = 2 * time.Second // for a forwarded connection to reach its host
)

// asking is held while the outer process is asked something, so that answers meet their questions.
var asking sync.Mutex

// forwards are the listeners of a lab's Forward calls and the connections through them.
type forwards struct {
	mu     sync.Mutex
	open   map[io.Closer]bool
	closed bool
	tasks  sync.WaitGroup
}

// add takes charge of something to close at the end; false: it is the end.
func (f *forwards) add(c io.Closer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.open == nil {
		f.open = map[io.Closer]bool{}
	}
	f.open[c] = true
	f.tasks.Add(1)
	return true
}

func (f *forwards) done(c io.Closer) {
	c.Close()
	f.mu.Lock()
	delete(f.open, c)
	f.mu.Unlock()
	f.tasks.Done()
}

func (f *forwards) close() {
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.tasks.Wait()
}

// Forward listens on 127.0.0.1:localPort (0: any) in the network that Enter was called in, the user's own, and pipes every
// connection to the given address as seen from the host. It never listens on anything but 127.0.0.1, and lasts until Close.
func (h *Host) Forward(localPort int, to netip.AddrPort) (net.Addr, error) {
	l, err := listenOutside(localPort)
	if err != nil {
		return nil, fmt.Errorf("lab: forward to %s %v: %w", h.name, to, err)
	}
	f := &h.lab.forwards
	if !f.add(l) {
		l.Close()
		return nil, ErrClosed
	}
	go h.accept(l, to)
	return l.Addr(), nil
}

// accept serves one forward until its listener is closed.
func (h *Host) accept(l net.Listener, to netip.AddrPort) {
	f := &h.lab.forwards
	defer f.done(l)
	room := make(chan struct{}, maxForwarded)
	for {
		room <- struct{}{}
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-room
			time.Sleep(10 * time.Millisecond) // out of descriptors, say
			continue
		}
		if !f.add(c) {
			c.Close()
			return
		}
		go func() {
			defer func() { <-room }()
			defer f.done(c)
			h.pipe(c.(*net.TCPConn), to)
		}()
	}
}

// listenOutside has the outer process open the socket. A socket stays in the network that it was opened in, whoever holds it.
func listenOutside(port int) (net.Listener, error) {
	asking.Lock()
	defer asking.Unlock()
	if err := outer.send(message{Listen: &port}); err != nil {
		return nil, err
	}
	outer.conn.SetReadDeadline(time.Now().Add(setupLimit)) // nobody else reads here
	m, fds, err := outer.receive(make([]byte, maxMessage))
	if err != nil {
		return nil, err
	}
	if m.Listening == nil || *m.Listening != "" || len(fds) != 1 {
		closeAll(fds)
		if m.Listening != nil && *m.Listening != "" {
			return nil, errors.New(*m.Listening)
		}
		return nil, errors.New("the outer process answered something unexpected")
	}
	file := os.NewFile(uintptr(fds[0]), "lab-forward")
	defer file.Close()
	return net.FileListener(file)
}

// pipe carries one connection into the host until both sides have said all, or TCP's keepalive finds the host gone.
func (h *Host) pipe(c *net.TCPConn, to netip.AddrPort) {
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	defer cancel()
	d, err := h.Dial(ctx, "tcp", to)
	if err != nil {
		return
	}
	if !h.lab.forwards.add(d) {
		d.Close()
		return
	}
	defer h.lab.forwards.done(d)
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(c, d)
		c.CloseWrite()
	}()
	io.Copy(d, c)
	d.(*net.TCPConn).CloseWrite()
	<-back
}
