package agent

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputGrace is how long output is still read after the app and its group have ended: who left the group may hold
// the pipe for ever.
const outputGrace = time.Second

// process is one run of the command.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{} // closed when it has ended, and with it all of its process group
}

// startProcess starts the command in a process group of its own, which signals go to: so a shell in between keeps
// nobody from hearing them. The kernel kills it when the agent dies. Its goroutine, in running, ends when its output
// has ended too, which may be up to outputGrace after ended.
func startProcess(command []string, stdout, stderr io.Writer, running *sync.WaitGroup) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var copying sync.WaitGroup
	out, err := passOn(stdout, &copying)
	if err != nil {
		return nil, err
	}
	errs, err := passOn(stderr, &copying)
	if err != nil {
		out.closeAll()
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = out.end, errs.end
	begun := make(chan error)
	running.Go(func() {
		// Pdeathsig goes by the thread that started the child, not by the process: this one must not end before it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.started = time.Now()
		err := p.cmd.Start()
		out.closeEnd()
		errs.closeEnd()
		begun <- err
		if err != nil {
			out.closeAll()
			errs.closeAll()
			return
		}
		awaitDeath(p.cmd.Process.Pid)
		p.signal(syscall.SIGKILL) // what it left behind, before its pid, which is the group's, can be another's
		_ = p.cmd.Wait()          // how it ended is in ProcessState
		close(p.ended)
		late := time.AfterFunc(outputGrace, func() { out.closeAll(); errs.closeAll() })
		copying.Wait()
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

// output passes what a process writes on to a writer. A file is handed to the process itself.
type output struct {
	end  *os.File // the process's
	read *os.File // nil for a file
}

func passOn(w io.Writer, copying *sync.WaitGroup) (output, error) {
	if f, ok := w.(*os.File); ok {
		return output{end: f}, nil
	}
	r, end, err := os.Pipe()
	if err != nil {
		return output{}, err
	}
	copying.Go(func() {
		defer r.Close()
		if _, err := io.Copy(w, r); err != nil && !errors.Is(err, os.ErrClosed) {
			_, _ = io.Copy(io.Discard, r) // the app must not block, or die, since nobody takes its lines
		}
	})
	return output{end: end, read: r}, nil
}

// closeEnd closes the agent's copy of the process's end.
func (o output) closeEnd() {
	if o.read != nil {
		o.end.Close()
	}
}

func (o output) closeAll() {
	if o.read != nil {
		o.end.Close()
		o.read.Close()
	}
}
