package delivery

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// innerVar is set for the process that runs the tests inside mount and process namespaces,
// to the number of the one outside.
const innerVar = "TANDEM_DELIVERY_INSIDE"

// inside starts this program again, as process 1 of namespaces that end with it, and with
// them whatever the tests have mounted and booted. An ordinary user cannot, and runs those
// tests that need no bare system, as does who has not asked for one.
func inside() (code int, ended bool) {
	if os.Geteuid() != 0 || !isAsked() {
		return 0, false
	}
	if os.Getenv(innerVar) != "" {
		if err := errors.Join(
			unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""),
			unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		); err != nil {
			fmt.Fprintln(os.Stderr, "mount:", err)
			return 1, true
		}
		return 0, false
	}
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.Env = append(os.Environ(), innerVar+"="+strconv.Itoa(os.Getpid()))
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err := self.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	go func() {
		for s := range signals {
			self.Process.Signal(s)
		}
	}()
	err := self.Wait()
	removeGroups(strconv.Itoa(os.Getpid()))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), true
	default:
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
}
