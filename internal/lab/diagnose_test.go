package lab

import (
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestEachObstacleHasOneCauseAndOneRemedy(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const (
		clone    = "proc/sys/kernel/unprivileged_userns_clone"
		maxUser  = "proc/sys/user/max_user_namespaces"
		apparmor = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
		maxNet   = "proc/sys/user/max_net_namespaces"
	)
	open := fstest.MapFS{clone: file("1\n"), maxUser: file("15000\n"), apparmor: file("0\n"), maxNet: file("15000\n")}
	with := func(path, text string) fstest.MapFS {
		fs := fstest.MapFS{path: file(text)}
		for k, v := range open {
			if k != path {
				fs[k] = v
			}
		}
		return fs
	}
	for _, c := range []struct {
		name   string
		stage  string
		errno  syscall.Errno
		asRoot bool
		system fstest.MapFS
		cause  string
		remedy string
	}{
		{"old Debian", stageClone, syscall.EPERM, false, with(clone, "0\n"), "unprivileged_userns_clone = 0", "kernel.unprivileged_userns_clone=1"},
		{"user namespaces used up by decree", stageClone, syscall.ENOSPC, false, with(maxUser, "0\n"), "max_user_namespaces = 0", "user.max_user_namespaces=15000"},
		{"Ubuntu, at the first use of a right", stageMounts, syscall.EACCES, false, with(apparmor, "1\n"), "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"Ubuntu, at the clone", stageClone, syscall.EPERM, false, with(apparmor, "1\n"), "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"Ubuntu's knob does not concern root", stageClone, syscall.EPERM, true, with(apparmor, "1\n"), "this container lacks the right to create namespaces", "docker run --privileged"},
		{"no network namespaces", stageClone, syscall.ENOSPC, true, with(maxNet, "0\n"), "max_net_namespaces = 0", "user.max_net_namespaces=15000"},
		{"too many namespaces", stageClone, syscall.ENOSPC, false, open, "too many namespaces", "user.max_user_namespaces=15000"},
		{"Docker's seccomp", stageClone, syscall.EPERM, false, with(".dockerenv", ""), "this container lacks the right to create namespaces", "docker run --privileged"},
		{"Docker's AppArmor", stageMounts, syscall.EACCES, true, with(".dockerenv", ""), "this container lacks the right to make mounts private", "docker run --privileged"},
		{"Podman's masked /proc", stageProc, syscall.EPERM, false, with("run/.containerenv", ""), "this container lacks the right to mount /proc", "--privileged"},
		{"masked /proc elsewhere", stageProc, syscall.EPERM, false, open, "/proc is partly covered", "sudo"},
		{"seccomp elsewhere", stageClone, syscall.EPERM, false, open, "refuses to create namespaces", "sudo"},
		{"kernel without namespaces", stageClone, syscall.EINVAL, false, open, "built without namespaces", "kernel of a Linux distribution"},
		{"kernel without bridges", stageBridge, syscall.EOPNOTSUPP, false, open, "cannot make a bridge", "modprobe bridge"},
		{"kernel without veth", stageVeth, syscall.EOPNOTSUPP, false, open, "cannot make a veth pair", "modprobe veth"},
		{"old kernel", stagePidfd, syscall.ENOSYS, false, open, "no pidfds", "Linux 5.4"},
		{"nothing can be read", stageClone, syscall.EPERM, false, fstest.MapFS{}, "refuses to create namespaces", "sudo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := diagnose(failure{Stage: c.stage, Errno: c.errno, Text: c.errno.Error(), User: !c.asRoot, Root: c.asRoot}, c.system)
			if !strings.Contains(p.Cause, c.cause) || !strings.Contains(p.Remedy, c.remedy) {
				t.Errorf("cause  %q\nremedy %q", p.Cause, p.Remedy)
			}
			if strings.ContainsAny(p.Error(), "\n") {
				t.Errorf("more than one line: %q", p)
			}
		})
	}
}
