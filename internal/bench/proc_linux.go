package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The lab's own /proc shows every process of every host, and a process's network namespace
// says which host it is of. So this works for anybody's daemons.

// A process runs in a host.
type process struct {
	pid  int
	args []string
}

// processes are all those of the node's host, but for the host's own init, which is no
// part of what is tested. The latest come first, so children before their parents: else
// keepalived's child hears of its parent's death and cleans up before it is killed, too.
func (n *node) processes() ([]process, error) {
	var home string
	err := n.host.Do(func() (err error) {
		home, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if net, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil || net != home {
			continue // of another host, or gone
		}
		args := cmdline(pid)
		if len(args) > 0 && !isInit(pid) {
			out = append(out, process{pid, args})
		}
	}
	slices.SortFunc(out, func(a, b process) int { return b.pid - a.pid })
	return out, nil
}

// of are the node's processes of that role.
func (n *node) of(r role) ([]process, error) {
	all, err := n.processes()
	if err != nil {
		return nil, err
	}
	var out []process
	for _, p := range all {
		if n.site.stack.role(p.args) == r {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no process that is %s's %s; it has %v", n.name, n.site.stack.name, r, all)
	}
	return out, nil
}

// cmdline is a process's command line, nil when it has ended.
func cmdline(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// isInit tells whether a process is the first of its pid namespace.
func isInit(pid int) bool {
	f := strings.Fields(status(pid, "NSpid:"))
	return len(f) > 0 && f[len(f)-1] == "1"
}

// stopped tells whether a process is stopped, or can run no more at all.
func stopped(pid int) bool {
	s := status(pid, "State:")
	return s == "" || strings.ContainsAny(s[:1], "TtZX")
}

// status is a line of /proc/PID/status, empty when the process has ended.
func status(pid int, key string) string {
	return statusLine(fmt.Sprintf("/proc/%d/status", pid), key)
}

func statusLine(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, key); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// signalAll sends a signal to processes; those that have ended do not matter.
func signalAll(list []process, sig syscall.Signal) error {
	var errs []error
	for _, p := range list {
		found, err := os.FindProcess(p.pid) // by pidfd: it can hit no other from here on
		if err == nil {
			err = found.Signal(sig)
		}
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("signal %v to %v: %w", sig, p, err))
		}
	}
	return errors.Join(errs...)
}

// freezeMax is how long it may take until all stand still.
const freezeMax = time.Second

// freeze stops what list returns, again until all of it stands still: a process may have
// been about to start another.
func freeze(list func() ([]process, error)) error {
	for end := time.Now().Add(freezeMax); time.Now().Before(end); {
		all, err := list()
		if err != nil {
			return err
		}
		moving := false
		for _, p := range all {
			moving = moving || !stopped(p.pid)
		}
		if !moving {
			return nil
		}
		if err := signalAll(all, syscall.SIGSTOP); err != nil {
			return err
		}
	}
	return fmt.Errorf("not everything stands still within %v of SIGSTOP", freezeMax)
}

// thaw undoes freeze.
func thaw(list func() ([]process, error)) error {
	all, err := list()
	if err != nil {
		return err
	}
	return signalAll(all, syscall.SIGCONT)
}
