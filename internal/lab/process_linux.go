package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Process runs in a host. Its methods may be called from any goroutine.
type Process struct {
	id    int
	sinks []*sink
	done  chan struct{} // closed when ended and err is set

	mu      sync.Mutex
	pid     int
	hostPid int
	pidfd   int // -1 once it has ended
	err     error
}

// start runs a program in the machine.
func (m *machine) start(c Command) (*Process, error) {
	if !m.begin() {
		return nil, ErrOff
	}
	defer m.tasks.Done()
	p := &Process{done: make(chan struct{}), pidfd: -1}
	files, err := p.plumb(c, m.tasks)
	defer closeFiles(files)
	if err != nil {
		return nil, err
	}
	answer, ok := m.register(p)
	if !ok {
		return nil, ErrOff
	}
	err = m.wire.send(message{Start: requestOf(p.id, c)}, int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd()))
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		err = ErrOff
	}
	if err == nil {
		select {
		case s, ok := <-answer:
			switch {
			case !ok:
				err = ErrOff
			case s.Error != "":
				err = errors.New("lab: " + m.name + ": " + s.Error)
			}
		case <-time.After(startLimit):
			err = fmt.Errorf("lab: %s: no program started within %v", m.name, startLimit)
		}
	}
	if err != nil {
		m.forget(p)
		return nil, err
	}
	return p, nil
}

// begin adds a task, unless the machine has ended.
func (m *machine) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended {
		m.tasks.Add(1) // under the lock: watch still runs, so that nobody has waited these tasks out yet
	}
	return !m.ended
}

// register makes a process known, so that whatever becomes of it is told to it.
func (m *machine) register(p *Process) (answer chan started, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return nil, false
	}
	m.nextID++
	p.id = m.nextID
	answer = make(chan started, 1)
	m.starts[p.id], m.running[p.id] = answer, p
	return answer, true
}

func (m *machine) forget(p *Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.starts, p.id)
	delete(m.running, p.id)
}

// requestOf fills in the defaults.
func requestOf(id int, c Command) *start {
	if c.Path == "" {
		c.Path = "/proc/self/exe"
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	name := path.Base(c.Path)
	if c.Path == "/proc/self/exe" {
		name = path.Base(os.Args[0])
	}
	return &start{ID: id, Path: c.Path, Argv: append([]string{name}, c.Args...), Env: c.Env, Dir: c.Dir}
}

// plumb opens the three files that the program gets, and the sinks behind them. The caller closes the files, also on error; a sink
// ends when nobody holds its file any more.
func (p *Process) plumb(c Command, tasks *sync.WaitGroup) (files []*os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	files = []*os.File{null}
	for i, w := range []any{c.Stdout, c.Stderr} {
		var f *os.File
		switch w := w.(type) {
		case nil:
			f, err = reopen(null)
		case *os.File:
			f, err = reopen(w)
		default:
			if i == 1 && sameWriter(c.Stdout, c.Stderr) {
				f, err = reopen(files[1])
				break
			}
			var s *sink
			if s, f, err = newSink(w.(io.Writer), tasks); err == nil {
				p.sinks = append(p.sinks, s)
			}
		}
		if err != nil {
			return files, fmt.Errorf("lab: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// reopen makes a second descriptor of the same open file, so that closing is the same for all.
func reopen(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func sameWriter(a, b any) bool {
	return a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// adopt takes the pidfd, which also knows the pid in our own pid namespace.
func (p *Process) adopt(hostPid, pidfd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hostPid, p.pidfd = hostPid, pidfd
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(info)) {
		if n, _ := fmt.Sscanf(line, "Pid: %d", &p.pid); n == 1 {
			p.pid = max(p.pid, 0) // -1: it has ended already
		}
	}
}

// finish settles an ended process: waits for its Writers and tells everybody.
func (p *Process) finish(status unix.WaitStatus) {
	p.mu.Lock()
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
	p.mu.Unlock()
	for _, s := range p.sinks {
		s.drain()
	}
	if status != 0 {
		e := &ExitError{Code: status.ExitStatus()}
		if status.Signaled() {
			e.Signal = int(status.Signal())
		}
		p.err = e
	}
	close(p.done)
}

// Pid is the process id as the lab's own /proc shows it; 0 if it ended before we could look.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// HostPid is the process id as the host's own /proc shows it.
func (p *Process) HostPid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hostPid
}

// Signal sends a signal; os.ErrProcessDone once it has ended. It can never hit another process.
func (p *Process) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("lab: %v is not a signal of this system", sig)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pidfd < 0 {
		return os.ErrProcessDone
	}
	err := unix.PidfdSendSignal(p.pidfd, s, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// Done is closed once the process has ended and all that it wrote has been handed to Stdout and Stderr. What processes it left
// behind write later is handed on too, until they end.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for Done; nil for exit code 0, else an *ExitError.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}
