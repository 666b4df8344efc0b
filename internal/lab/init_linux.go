package lab

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// runInit is pid 1 of the lab's namespaces. It starts the program, passes signals on, reaps whatever is orphaned, and ends when
// the program ends: then the kernel kills all that is left in here. It is a process of its own so that nobody else's Wait loses
// a child to the reaping, and so that the program's signals have their usual meaning, which they have not for pid 1.
func runInit(w *wire) int {
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := reportSetup(w, setupLab); err != nil {
		return 1
	}
	file, err := w.conn.File()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	program, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), roleEnv+"="+roleProgram),
		Files: []uintptr{0, 1, 2, file.Fd()},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	file.Close()
	w.close() // the program has it now
	for s := range signals {
		if s != syscall.SIGCHLD {
			syscall.Kill(program, s.(syscall.Signal))
			continue
		}
		code := -1
		reap(func(pid int, status unix.WaitStatus) {
			if pid == program {
				code = status.ExitStatus()
				if status.Signaled() {
					code = 128 + int(status.Signal())
				}
			}
		})
		if code >= 0 {
			return code
		}
	}
	return 1
}

// runProbe tries what Preflight promises.
func runProbe(w *wire) int {
	reportSetup(w, func() error {
		if err := setupLab(); err != nil {
			return err
		}
		return tryKernel()
	})
	return 0
}

// A stageError says at which stage of the setup the kernel refused.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// reportSetup runs a helper's setup and tells the maker how it went.
func reportSetup(w *wire, setup func() error) error {
	unix.CloseRange(wireFd, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // nothing is inherited by chance; best effort: Linux 5.11
	err := setup()
	if err == nil {
		return w.send(message{Ready: true})
	}
	f := failure{Stage: "set up a helper", Text: err.Error()}
	if at := (*stageError)(nil); errors.As(err, &at) {
		f.Stage, f.Text = at.stage, at.err.Error()
	}
	errors.As(err, &f.Errno)
	w.send(message{Failed: &f})
	return err
}

func setupLab() error {
	if err := ownMounts(); err != nil {
		return err
	}
	return loUp()
}

// ownMounts gives this mount namespace a /proc of this pid namespace, seen by nobody else.
func ownMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &stageError{stageMounts, err}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return &stageError{stageProc, err}
	}
	return nil
}

func loUp() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return &stageError{stageLo, err}
	}
	return nil
}

// tryKernel makes one of each thing that a lab is made of.
func tryKernel() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return &stageError{stagePidfd, err}
	}
	unix.Close(fd)
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br"}}); err != nil {
		return &stageError{stageBridge, err}
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a"}, PeerName: "b"}); err != nil {
		return &stageError{stageVeth, err}
	}
	return nil
}

// reap collects all children that have ended by now.
func reap(ended func(pid int, status unix.WaitStatus)) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		ended(pid, status)
	}
}

// writeSysctls sets sysctls that may not exist (a kernel without IPv6 has no need of them).
func writeSysctls(value string, names ...string) {
	for _, n := range names {
		os.WriteFile("/proc/sys/"+strings.ReplaceAll(n, ".", "/"), []byte(value), 0)
	}
}
