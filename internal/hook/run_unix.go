//go:build unix

package hook

import (
	"os/exec"
	"syscall"
)

// asGroup has a program lead a process group, which is ended with it.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
