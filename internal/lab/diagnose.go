package lab

import (
	"io/fs"
	"strings"
	"syscall"
)

// A failure is the first thing that the kernel refused while a lab was tried.
type failure struct {
	Stage string        // what was tried: one of the stages below
	Errno syscall.Errno // 0 if the error had none
	Text  string        // the error in full
	User  bool          // whether a user namespace was needed, for want of capabilities
	Root  bool          // whether the user is root, at least by name
}

// The stages of building a lab, in their order.
const (
	stageClone  = "create namespaces"
	stageMounts = "make mounts private"
	stageProc   = "mount /proc"
	stagePidfd  = "open a pidfd"
	stageLo     = "bring up lo"
	stageBridge = "create a bridge"
	stageVeth   = "create a veth pair"
)

// knobs are the sysctls that forbid namespaces, each with the remedy. They are only read after something failed, so a knob that
// would forbid but does not (root is exempt from some) is never blamed.
var knobs = []struct {
	path, forbids string
	userOnly      bool // matters only where a user namespace is needed
	cause, remedy string
}{
	{
		"proc/sys/kernel/unprivileged_userns_clone", "0", true,
		"this system forbids user namespaces to ordinary users (kernel.unprivileged_userns_clone = 0)",
		"sudo sysctl -w kernel.unprivileged_userns_clone=1",
	},
	{
		"proc/sys/user/max_user_namespaces", "0", true,
		"this system allows no user namespaces (user.max_user_namespaces = 0)",
		"sudo sysctl -w user.max_user_namespaces=15000",
	},
	{
		"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", true,
		"AppArmor takes the rights out of user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1, as on Ubuntu 23.10 and later)",
		"sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
	},
	{
		"proc/sys/user/max_net_namespaces", "0", false,
		"this system allows no network namespaces (user.max_net_namespaces = 0)",
		"sudo sysctl -w user.max_net_namespaces=15000",
	},
	{
		"proc/sys/user/max_pid_namespaces", "0", false,
		"this system allows no pid namespaces (user.max_pid_namespaces = 0)",
		"sudo sysctl -w user.max_pid_namespaces=15000",
	},
	{
		"proc/sys/user/max_mnt_namespaces", "0", false,
		"this system allows no mount namespaces (user.max_mnt_namespaces = 0)",
		"sudo sysctl -w user.max_mnt_namespaces=15000",
	},
}

// diagnose finds the one cause of a failure and its remedy. It reads the system's files below root, which is "/" outside tests.
func diagnose(f failure, root fs.FS) *Problem {
	switch f.Stage {
	case stageBridge:
		return &Problem{"the kernel cannot make a bridge (" + f.Text + ")", "sudo modprobe bridge"}
	case stageVeth:
		return &Problem{"the kernel cannot make a veth pair (" + f.Text + ")", "sudo modprobe veth"}
	case stagePidfd:
		return &Problem{"the kernel has no pidfds (" + f.Text + ")", "use Linux 5.4 or later"}
	}
	if denied(f.Errno) {
		for _, k := range knobs {
			value, err := fs.ReadFile(root, k.path)
			if err == nil && strings.TrimSpace(string(value)) == k.forbids && (f.User || !k.userOnly) {
				return &Problem{k.cause, k.remedy}
			}
		}
	}
	switch {
	case f.Errno == syscall.EINVAL && f.Stage == stageClone:
		return &Problem{"this kernel was built without namespaces (" + f.Text + ")", "use the kernel of a Linux distribution"}
	case f.Errno == syscall.ENOSPC:
		return &Problem{"there are too many namespaces already (" + f.Text + ")", "sudo sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000"}
	case denied(f.Errno) && (inContainer(root) || f.Root): // a root who may not is in a container, marked or not
		return &Problem{"this container lacks the right to " + f.Stage + " (" + f.Text + ")", "docker run --privileged"}
	case denied(f.Errno) && f.Stage == stageProc:
		return &Problem{"the system's /proc is partly covered, so that no other can be mounted (" + f.Text + ")", "run with sudo"}
	}
	return &Problem{"the kernel refuses to " + f.Stage + " (" + f.Text + ")", "run with sudo"}
}

// denied says whether the kernel meant "you may not", in one of the words it has for it.
func denied(e syscall.Errno) bool {
	return e == syscall.EPERM || e == syscall.EACCES || e == syscall.ENOSPC || e == syscall.EUSERS
}

// inContainer says whether Docker or Podman left its mark.
func inContainer(root fs.FS) bool {
	for _, mark := range []string{".dockerenv", "run/.containerenv"} {
		if _, err := fs.Stat(root, mark); err == nil {
			return true
		}
	}
	return false
}
