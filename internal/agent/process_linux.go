package agent

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/config"
)

// outputGrace is how long output is still read after a process and its group have ended: who left the group may hold
// the pipe for ever.
const outputGrace = time.Second

// lastWords is how long the end of a process is not acted on while its output is read: mostly that takes microseconds.
const lastWords = 50 * time.Millisecond

// process is one run of a program.
type process struct {
	index int // in the plan
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended, and with it all of its process group
}

// startProcess starts a program in a process group of its own, which signals go to: so a shell in between keeps
// nobody from hearing them. The kernel kills it when the agent dies. When it has ended, it is sent to exits, which has
// room for it. Its goroutine, in running, ends when its output has ended too, which may be up to outputGrace later.
func startProcess(index int, cfg config.Process, env []string, out, errs *stream, running *sync.WaitGroup, exits chan<- *process) (*process, error) {
	p := &process{index: index, cmd: exec.Command(cfg.Command[0], cfg.Command[1:]...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.Dir, p.cmd.Env = cfg.Directory, append(append(os.Environ(), env...), cfg.Env...)
	var copying sync.WaitGroup
	outPipe, err := newPipe(out, &copying)
	if err != nil {
		return nil, err
	}
	errPipe, err := newPipe(errs, &copying)
	if err != nil {
		outPipe.close()
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = outPipe.end, errPipe.end
	begun := make(chan error)
	running.Go(func() {
		// Pdeathsig goes by the thread that started the child, not by the process: this one must not end before it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		outPipe.end.Close()
		errPipe.end.Close()
		if err == nil {
			out.pid.Store(int64(p.cmd.Process.Pid))
			errs.pid.Store(int64(p.cmd.Process.Pid))
		}
		begun <- err
		if err == nil {
			awaitDeath(p.cmd.Process.Pid)
			p.signal(syscall.SIGKILL) // what it left behind, before its pid, which is the group's, can be another's
			_ = p.cmd.Wait()          // how it ended is in ProcessState
			close(p.ended)
		}
		printed := make(chan struct{})
		go func() { defer close(printed); copying.Wait() }()
		select {
		case <-printed: // BEFORE anybody acts on the end: its last lines stand before what comes of it
		case <-time.After(lastWords):
		}
		if err == nil {
			exits <- p
		}
		late := time.AfterFunc(outputGrace, func() { outPipe.close(); errPipe.close() })
		<-printed
		late.Stop()
	})
	return p, <-begun
}

// signal goes to the whole group. It is no error that nobody is left.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.ended:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// awaitDeath waits until the child pid has died, and leaves it a zombie.
func awaitDeath(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// exitCode returns what a shell would: the code, or 128 + the signal. Only after ended.
func (p *process) exitCode() int {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// pipe is what a process writes into.
type pipe struct{ end, read *os.File }

// newPipe makes a pipe that is read to its end in a goroutine of copying.
func newPipe(s *stream, copying *sync.WaitGroup) (pipe, error) {
	r, end, err := os.Pipe()
	if err != nil {
		return pipe{}, err
	}
	copying.Go(func() {
		defer r.Close()
		_, _ = io.Copy(struct{ io.Writer }{s}, r) // its error is the end
		s.split.End()
	})
	return pipe{end, r}, nil
}

func (p pipe) close() {
	p.end.Close()
	p.read.Close()
}
