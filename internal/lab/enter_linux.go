package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv tells a process of this binary which helper it is. Init removes it, so that nothing inherits it.
const roleEnv = "TANDEM_LAB_ROLE"

const (
	roleProbe   = "probe"   // pid 1 of fresh namespaces: tries what a lab needs, and ends
	roleInit    = "init"    // pid 1 of the lab's namespaces: starts the program, reaps, ends with it
	roleProgram = "program" // the program itself, inside
	roleHost    = "host"    // pid 1 of a host
	roleSwitch  = "switch"  // pid 1 of the namespace that holds the bridges

	wireFd = 3 // where every helper finds its wire

	setupLimit = 20 * time.Second // for a helper to come up, on the busiest machine
)

// outer is the wire to the process that called Enter, in the user's own namespaces; nil when not inside.
var outer *wire

// Init must be the first call in main and in TestMain. When this process was started as one of the lab's helpers
// it does that work and never returns; else it does nothing.
func Init() {
	role := os.Getenv(roleEnv)
	if role == "" {
		return
	}
	os.Unsetenv(roleEnv)
	w, err := wireOf(os.NewFile(wireFd, "lab-wire"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err, "(is "+roleEnv+" set by hand?)")
		os.Exit(2)
	}
	switch role {
	case roleProbe:
		os.Exit(runProbe(w))
	case roleInit:
		os.Exit(runInit(w))
	case roleHost, roleSwitch:
		os.Exit(runHost(w, role, os.Args[len(os.Args)-1]))
	case roleProgram:
		outer = w
	}
}

// Preflight tries what a lab needs, in about 10 ms, and returns nil or a *Problem with one cause and one remedy.
func Preflight() error {
	if outer != nil {
		return nil
	}
	runtime.LockOSThread() // see enterAs
	defer runtime.UnlockOSThread()
	cmd, w, err := enterAs(roleProbe)
	if err != nil {
		return err
	}
	w.close()
	return reword(cmd.Wait())
}

// Enter runs this program again (same arguments, environment, standard input and output) inside fresh network, mount, pid, uts
// and ipc namespaces, and a user namespace when it lacks the rights. The copy sees inside = true; the original waits for it, passes
// on SIGINT, SIGTERM, SIGHUP and SIGQUIT, and returns its exit code. However the original ends, SIGKILL too, all that is inside
// ends with it. The copy is in a process group of its own, so that ^C reaches it once; what is typed at a terminal reaches it through
// a pipe. An error is a *Problem where the system does not allow a lab.
func Enter() (inside bool, code int, err error) {
	if outer != nil {
		return true, 0, nil
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer close(signals)
	defer signal.Stop(signals)
	runtime.LockOSThread() // see enterAs
	defer runtime.UnlockOSThread()
	cmd, w, err := enterAs(roleInit)
	if err != nil {
		return false, 1, err
	}
	defer w.close()
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	go serveOuter(w)
	err = cmd.Wait()
	if state := cmd.ProcessState; state != nil {
		if ws := state.Sys().(syscall.WaitStatus); ws.Signaled() {
			return false, 128 + int(ws.Signal()), nil
		}
		return false, state.ExitCode(), nil
	}
	return false, 1, reword(err)
}

// enterAs starts this program as pid 1 of fresh namespaces in the given role, and waits until it is built. The caller's thread
// must stay locked and alive: the child's life hangs on it (PR_SET_PDEATHSIG is about threads).
func enterAs(role string) (*exec.Cmd, *wire, error) {
	w, theirs, err := newWire()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	user := needUserNamespace()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	stdin, err := stdinFor(role)
	if err != nil {
		w.close()
		return nil, nil, err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // ^C reaches only us, and we pass it on: once, not twice
	}
	if user {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		w.close()
		f := failure{Stage: stageClone, Text: err.Error(), User: user, Root: os.Geteuid() == 0}
		errors.As(err, &f.Errno)
		return nil, nil, diagnose(f, os.DirFS("/"))
	}
	theirs.Close()
	if err := awaitReady(w, user); err != nil {
		w.close()
		cmd.Process.Kill()
		cmd.Wait()
		return nil, nil, err
	}
	return cmd, w, nil
}

// stdinFor is what the process inside reads: the same as ours, but of a terminal a copy, since a process group in the background
// that reads from it is stopped. The caller closes it once the process runs.
func stdinFor(role string) (*os.File, error) {
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err != nil || role != roleInit {
		fd, err := unix.FcntlInt(os.Stdin.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.Open(os.DevNull) // there is no standard input
		}
		return os.NewFile(uintptr(fd), "stdin"), nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("lab: standard input: %w", err)
	}
	go func() { // until the terminal ends, or this process
		io.Copy(w, os.Stdin)
		w.Close()
	}()
	return r, nil
}

// awaitReady waits for a helper's first word.
func awaitReady(w *wire, user bool) error {
	w.conn.SetReadDeadline(time.Now().Add(setupLimit))
	defer w.conn.SetReadDeadline(time.Time{})
	m, fds, err := w.receive(make([]byte, maxMessage))
	closeAll(fds)
	switch {
	case err != nil:
		return fmt.Errorf("lab: a helper ended before it was ready (does main call lab.Init first?): %w", err)
	case m.Failed != nil:
		m.Failed.User, m.Failed.Root = user, os.Geteuid() == 0
		return diagnose(*m.Failed, os.DirFS("/"))
	case !m.Ready:
		return errors.New("lab: a helper said something unexpected")
	}
	return nil
}

// needUserNamespace says whether this process lacks the capabilities to make the other namespaces by itself.
func needUserNamespace() bool {
	const want = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return os.Geteuid() != 0
	}
	for line := range strings.Lines(string(status)) {
		var caps uint64
		if _, err := fmt.Sscanf(line, "CapEff: %x", &caps); err == nil {
			return caps&want != want
		}
	}
	return os.Geteuid() != 0
}

// serveOuter does, in the user's own network, the one thing that the inside may ask for: a listening socket on 127.0.0.1.
func serveOuter(w *wire) {
	buf := make([]byte, maxMessage)
	for {
		m, fds, err := w.receive(buf)
		if err != nil {
			return
		}
		closeAll(fds)
		if m.Listen != nil {
			sendListener(w, *m.Listen)
		}
	}
}

func sendListener(w *wire, port int) {
	fail := func(err error) {
		text := err.Error()
		w.send(message{Listening: &text})
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		fail(err)
		return
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		fail(err)
		return
	}
	defer f.Close()
	var ok string
	w.send(message{Listening: &ok}, int(f.Fd()))
}

// reword gives a helper's end this package's name.
func reword(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lab: %w", err)
}
