package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// queueLen bounds the messages that wait to be sent. A process reads its orders in
	// microseconds; one that is this far behind is stuck.
	queueLen = 256
	// sendTimeout bounds one write. The kernel's buffer takes what is usual at once.
	sendTimeout = 5 * time.Second
)

// ErrBacklog says that the other process has not read for a long time: the message was
// not queued.
var ErrBacklog = errors.New("ipc: the other process does not read its messages")

// Conn is one end of a pair. [Conn.Send] may be called from any goroutine and never
// blocks; Run must be called once.
type Conn struct {
	sock  *net.UnixConn
	queue chan outgoing
}

type outgoing struct {
	m   Message
	fds []int
}

func (o outgoing) close() {
	for _, fd := range o.fds {
		unix.Close(fd)
	}
}

// Copy returns another descriptor of f, the caller's to close. Unlike File.Fd it leaves
// alone whether f blocks, which is not the descriptor's but the socket's, so another
// process's as well: there an event loop would hang in accept.
func Copy(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("ipc: copy descriptor: %w", err)
	}
	var (
		fd     int
		failed error
	)
	err = raw.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return -1, fmt.Errorf("ipc: copy descriptor: %w", err)
	}
	return fd, nil
}

// Pair makes two connected ends, to be given to [New] in this process or, as a
// descriptor, to another one.
func Pair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("ipc: socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "ipc-a"), os.NewFile(uintptr(fds[1]), "ipc-b"), nil
}

// New makes a Conn of one end of a pair. It takes f over and closes it.
func New(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("ipc: %w", err)
	}
	sock, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("ipc: descriptor is a %T, not a unix socket", c)
	}
	return FromUnix(sock), nil
}

// FromUnix makes a Conn of a connected socket, which it takes over.
func FromUnix(sock *net.UnixConn) *Conn {
	return &Conn{sock: sock, queue: make(chan outgoing, queueLen)}
}

// Send queues m, and copies of the files' descriptors, for the other process. The caller
// keeps its files; m is read later, and must not change any more. It fails with [ErrBacklog] when the queue is full.
func (c *Conn) Send(m Message, files ...*os.File) error {
	out := outgoing{m: m}
	for _, f := range files {
		fd, err := Copy(f)
		if err != nil {
			out.close()
			return err
		}
		out.fds = append(out.fds, fd)
	}
	select {
	case c.queue <- out:
		return nil
	default:
		out.close()
		return ErrBacklog
	}
}

// Run sends what is queued and calls handle, in one goroutine and in order, with each
// message received; the files of a message belong to handle. It returns nil when ctx
// ends, io.EOF when the other process is gone, and closes the connection either way.
func (c *Conn) Run(ctx context.Context, handle func(Message, []*os.File)) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.receive(handle) })
	g.Go(func() error { return c.send(gctx) })
	g.Go(func() error {
		<-gctx.Done()
		return c.sock.Close()
	})
	err := g.Wait()
	c.dropQueue()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Close ends the connection at once; a Run under way returns.
func (c *Conn) Close() error { return c.sock.Close() }

func (c *Conn) receive(handle func(Message, []*os.File)) error {
	for {
		m, files, err := readFrame(c.sock)
		if err != nil {
			return err
		}
		handle(m, files)
	}
}

func (c *Conn) send(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case out := <-c.queue:
			c.sock.SetWriteDeadline(time.Now().Add(sendTimeout))
			err := writeFrame(c.sock, out.m, out.fds)
			out.close()
			if err != nil {
				return err
			}
		}
	}
}

// dropQueue closes the descriptors of messages that will never be sent.
func (c *Conn) dropQueue() {
	for {
		select {
		case out := <-c.queue:
			out.close()
		default:
			return
		}
	}
}
