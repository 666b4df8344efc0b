package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	// childSteady is how long a child must have lived for its death to be an accident,
	// answered by a restart at once. One that dies sooner is started again with growing
	// pauses, so that a fault that strikes at start does not burn a core.
	childSteady  = 2 * time.Second
	firstPause   = 20 * time.Millisecond
	longestPause = 5 * time.Second
)

// child keeps one other process alive: it starts it, speaks with it, and starts it again
// when it is gone, if the loop wants that.
type child struct {
	name    string // also its hidden subcommand
	who     identity
	log     *slog.Logger
	found   *found    // its first life, if an earlier keeper began it (E11); nil after that
	verdict chan bool // the loop's, after each childEnded: start it again or not

	pid      atomic.Int64 // 0 while there is none
	since    atomic.Int64 // unix nanoseconds of the start
	restarts atomic.Int64
	ready    atomic.Bool
}

// Events of a child, in the order started, messages, ended; the first may be missing.
type (
	childStarted struct {
		child *child
		conn  *ipc.Conn
	}
	childMessage struct {
		child *child
		m     ipc.Message
	}
	childEnded struct {
		child *child
		err   error
	}
)

// run keeps the process until the loop wants it no more, or ctx ends; then it asks it to
// stop, waits for grace at most or until force is closed, and kills it. emit delivers to
// the keeper's loop.
func (c *child) run(ctx context.Context, force <-chan struct{}, emit func(event), grace time.Duration) error {
	pause := firstPause
	for {
		began := time.Now()
		err := c.once(ctx, force, emit, grace)
		c.pid.Store(0)
		c.ready.Store(false)
		select {
		case <-ctx.Done():
			return nil
		case again := <-c.verdict:
			if !again || ctx.Err() != nil {
				return nil
			}
		}
		c.restarts.Add(1)
		wait := time.Duration(0)
		if time.Since(began) < childSteady {
			wait, pause = pause, min(2*pause, longestPause)
		} else {
			pause = firstPause
		}
		c.log.Error("process ended; starting it again", "process", c.name, "err", err, "after", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// once runs the process from its start to its end, or from where it was found.
func (c *child) once(ctx context.Context, force <-chan struct{}, emit func(event), grace time.Duration) error {
	var (
		conn *ipc.Conn
		end  func() error // once its socket has ended it has itself, or is of no more use
		err  error
	)
	if f := c.found; f != nil {
		c.found = nil
		c.pid.Store(int64(f.process.Pid))
		c.since.Store(f.hello.Since.UnixNano())
		c.ready.Store(true)
		conn, end = f.conn, f.process.Kill // it is no child of this process: nothing to wait for
	} else if conn, end, err = c.start(); err != nil {
		emit(childEnded{c, err})
		return err
	}
	emit(childStarted{c, conn})
	err = c.converse(ctx, force, conn, emit, grace)
	emit(childEnded{c, err})
	return errors.Join(err, end())
}

// start starts the process.
func (c *child) start() (conn *ipc.Conn, end func() error, err error) {
	mine, its, err := ipc.Pair()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("/proc/self/exe", c.name)
	cmd.Args[0] = "tandem"
	cmd.ExtraFiles = []*os.File{its} // the child finds it as descriptor 3
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// A process group of its own: Ctrl-C in a terminal is for the keeper, who knows in
	// which order things end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = startWithoutRights(cmd, c.who)
	its.Close()
	if err != nil {
		mine.Close()
		return nil, nil, fmt.Errorf("start: %w", err)
	}
	end = func() error {
		cmd.Process.Kill()
		return cmd.Wait()
	}
	c.pid.Store(int64(cmd.Process.Pid))
	c.since.Store(time.Now().UnixNano())
	if conn, err = ipc.New(mine); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return conn, end, nil
}

// converse passes the child's messages to the loop until either side ends it.
func (c *child) converse(ctx context.Context, force <-chan struct{}, conn *ipc.Conn, emit func(event), grace time.Duration) error {
	talk, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	stopping := context.AfterFunc(ctx, func() {
		conn.Send(&ipc.Stop{Grace: grace})
		select {
		case <-talk.Done():
		case <-force:
			hangUp()
		case <-time.After(grace):
			c.log.Warn("process did not stop in time; killing it", "process", c.name, "grace", grace)
			hangUp()
		}
	})
	defer stopping()
	err := conn.Run(talk, func(m ipc.Message, files []*os.File) {
		for _, f := range files {
			f.Close() // no message to the keeper brings any
		}
		if _, ok := m.(*ipc.Ready); ok {
			c.ready.Store(true)
		}
		emit(childMessage{c, m})
	})
	if errors.Is(err, io.EOF) && ctx.Err() != nil {
		return nil
	}
	return err
}

// state describes the process for status.
func (c *child) state() ipc.Process {
	p := ipc.Process{
		Name:     c.name,
		PID:      int(c.pid.Load()),
		Since:    time.Unix(0, c.since.Load()),
		Restarts: int(c.restarts.Load()),
		Ready:    c.ready.Load(),
		OwnUser:  c.who.cred != nil,
		UserNote: c.who.note,
	}
	return withRights(p)
}

// withRights adds what the kernel says of the process; nothing if it is just gone.
func withRights(p ipc.Process) ipc.Process {
	r, err := readRights(p.PID)
	if err != nil {
		return p
	}
	p.CPU = cpuTime(p.PID)
	p.UID, p.CapEff, p.CapBnd, p.NoNewPriv, p.RSSBytes = r.UID, r.CapEff, r.CapBnd, r.NoNewPrivs, r.RSSBytes
	return p
}
