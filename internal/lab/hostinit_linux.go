package lab

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// runHost is pid 1 of a host, or of the switch. It starts what the lab asks for, reaps, reports exits, and ends when the wire
// does: then the kernel kills all that is left in here.
func runHost(w *wire, role, name string) int {
	// Caught and dropped, not ignored: what a process ignores its children ignore too.
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	if err := reportSetup(w, func() error { return setupHost(role, name) }); err != nil {
		return 1
	}
	requests := make(chan request)
	go readRequests(w, requests)
	running := map[int]int{} // pid → ID
	for {
		select {
		case r, ok := <-requests:
			if !ok {
				return 0
			}
			if pid := startInHost(w, r); pid > 0 {
				running[pid] = r.ID
			}
		case s := <-signals:
			if s != syscall.SIGCHLD {
				continue
			}
			reap(func(pid int, status unix.WaitStatus) {
				if id, ok := running[pid]; ok {
					delete(running, pid)
					w.send(message{Exited: &exited{ID: id, Status: uint32(status)}})
				}
			})
		}
	}
}

// A request is one to start a program, with the three files that it gets.
type request struct {
	start
	fds []int
}

// readRequests closes the channel when the lab has gone.
func readRequests(w *wire, requests chan<- request) {
	defer close(requests)
	buf := make([]byte, maxMessage)
	for {
		m, fds, err := w.receive(buf)
		if err != nil {
			return
		}
		if m.Start == nil || len(fds) != 3 {
			closeAll(fds)
			continue
		}
		requests <- request{*m.Start, fds}
	}
}

// startInHost starts one program, says so, and returns its pid, or 0.
func startInHost(w *wire, r request) int {
	defer closeAll(r.fds)
	pidfd := -1
	pid, err := syscall.ForkExec(r.Path, r.Argv, &syscall.ProcAttr{
		Dir:   r.Dir,
		Env:   r.Env,
		Files: []uintptr{uintptr(r.fds[0]), uintptr(r.fds[1]), uintptr(r.fds[2])},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	answer := started{ID: r.ID, Pid: pid}
	if err != nil {
		answer.Error = fmt.Sprintf("start %s: %v", r.Path, err)
		w.send(message{Started: &answer})
		return 0
	}
	if pidfd < 0 {
		w.send(message{Started: &answer})
		return pid
	}
	w.send(message{Started: &answer}, pidfd)
	unix.Close(pidfd)
	return pid
}

func setupHost(role, name string) error {
	if err := ownMounts(); err != nil {
		return err
	}
	if role == roleSwitch {
		// A switch has no address and says nothing of its own.
		writeSysctls("1", "net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6")
		return nil
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64m"); err != nil {
		return &stageError{"mount a tmpfs on /run", err}
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return &stageError{"set the hostname", err}
	}
	// IPv6 addresses are usable at once, and nobody waits for a router.
	writeSysctls("0", "net.ipv6.conf.all.accept_dad", "net.ipv6.conf.default.accept_dad",
		"net.ipv6.conf.all.router_solicitations", "net.ipv6.conf.default.router_solicitations")
	// A new network inherits this from the system's, which Docker, for one, makes a router. A host that passes on what reached
	// it by mistake hides that mistake from whoever looks for outages.
	writeSysctls("0", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding")
	return loUp()
}
