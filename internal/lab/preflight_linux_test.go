package lab_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/tandem-lb/tandem/internal/lab"
	"golang.org/x/sys/unix"
)

// The obstacles are real ones, put up in a host of a lab: a root without CAP_SYS_ADMIN, as in a container, runs Preflight behind
// them.
func TestPreflightNamesWhatStandsInTheWay(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	says := func(obstacle, want string) {
		t.Helper()
		if got := run(t, h, "preflight behind", obstacle); got != want+"\n" {
			t.Errorf("behind %s Preflight says\n%swant\n%s", obstacle, got, want)
		}
	}
	says("nothing", "<nil>")
	says("covered proc", "this container lacks the right to mount /proc (operation not permitted); docker run --privileged")
	says("seccomp filter", "this container lacks the right to create namespaces (fork/exec /proc/self/exe: operation not permitted); docker run --privileged")
	if !userIsOrdinary() {
		return // what follows would concern the whole machine; the run as an ordinary user sees it
	}
	for limit, want := range map[string]string{
		"max_user_namespaces": "this system allows no user namespaces (user.max_user_namespaces = 0); sudo sysctl -w user.max_user_namespaces=15000",
		"max_net_namespaces":  "this system allows no network namespaces (user.max_net_namespaces = 0); sudo sysctl -w user.max_net_namespaces=15000",
	} {
		restore := limitNamespaces(t, limit)
		says(limit, want)
		restore()
	}
}

func TestOutsideThereIsNoLab(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	if got := run(t, h, "outside"); got != lab.ErrNotEntered.Error()+"\n" {
		t.Errorf("New says %q", got)
	}
}

// preflightBehind puts up an obstacle and then runs Preflight as a container's root.
func preflightBehind(obstacle string) {
	runtime.LockOSThread() // what follows concerns this thread and what it starts
	var err error
	switch obstacle {
	case "covered proc":
		err = unix.Mount("tmpfs", "/proc/bus", "tmpfs", 0, "")
	case "seccomp filter":
		err = refuseUserNamespaces()
	}
	if err != nil {
		panic(err)
	}
	for c := range uintptr(64) {
		if c != unix.CAP_SETFCAP { // needed to map uid 0 into a user namespace
			unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stdout, cmd.Stderr = roleEnv("preflight"), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		panic(err)
	}
}

// refuseUserNamespaces does what Docker's default seccomp profile does to a container.
func refuseUserNamespaces() error {
	const nr, arg0 = 0, 16 // offsets in struct seccomp_data; arg0's lower half on a little-endian machine
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nr},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: arg0},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_NEWUSER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}

func printPreflight() {
	err := lab.Preflight()
	if problem := (*lab.Problem)(nil); err != nil && !errors.As(err, &problem) {
		fmt.Print("not a Problem: ")
	}
	fmt.Println(err)
}

// userIsOrdinary says whether the lab has a user namespace of its own.
func userIsOrdinary() bool {
	ids, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !strings.Contains(string(ids), "4294967295")
}

// limitNamespaces sets one of the limits of our own user namespace to 0 until the returned function is called.
func limitNamespaces(t *testing.T, name string) func() {
	t.Helper()
	file := "/proc/sys/user/" + name
	before, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte("0"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { os.WriteFile(file, before, 0) }
}
