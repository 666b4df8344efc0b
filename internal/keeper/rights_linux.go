package keeper

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Users of the children where the system has no user of their name. The numbers lie in
// the range that systemd gives to dynamic users and that no distribution hands out.
const (
	controlUID = 61947
	proxyUID   = 61948
)

// identity is whom a child runs as.
type identity struct {
	cred *syscall.Credential // nil: the keeper's own user
	note string              // why it is the keeper's own
}

// identityFor finds a user of its own for a child: "tandem-NAME", or else the fixed number.
func identityFor(name string, fallback uint32) identity {
	if !hasCap(unix.CAP_SETUID) || !hasCap(unix.CAP_SETGID) {
		return identity{note: "the keeper may not change users (no CAP_SETUID)"}
	}
	uid, gid := fallback, fallback
	if u, err := user.Lookup("tandem-" + name); err == nil {
		uid, gid = parseID(u.Uid, fallback), parseID(u.Gid, fallback)
	}
	if lacks := unmapped(uid, gid); lacks != "" {
		return identity{note: "this user namespace has no second user (" + lacks + ")"}
	}
	return identity{cred: &syscall.Credential{Uid: uid, Gid: gid}}
}

// unmapped says which of both does not exist in this user namespace, "" when both do.
func unmapped(uid, gid uint32) string {
	for file, id := range map[string]uint32{"/proc/self/uid_map": uid, "/proc/self/gid_map": gid} {
		if mapped, err := idMapped(file, id); err != nil || !mapped {
			return fmt.Sprintf("%s lacks %d", file, id)
		}
	}
	return ""
}

// idMapped reads a uid_map or gid_map: lines of first inner id, first outer id, count.
func idMapped(file string, id uint32) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var inner, outer, count uint64
		if _, err := fmt.Sscan(lines.Text(), &inner, &outer, &count); err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		if uint64(id) >= inner && uint64(id) < inner+count {
			return true, nil
		}
	}
	return false, lines.Err()
}

func parseID(s string, fallback uint32) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return fallback
	}
	return uint32(n)
}

// startWithoutRights starts cmd with no capability in any set, none to be gained by a
// later exec, with no descriptor but its own, and as who says.
//
// Rights belong to threads, and a forked child has those of the thread that forked. So the
// rights are given up on a thread made for this, which then forks and is never used again
// (a goroutine that ends while locked takes its thread along). The rest of the keeper
// keeps its own. It works the same with and without cgo, where syscall.AllThreadsSyscall
// in the child would not.
func startWithoutRights(cmd *exec.Cmd, who identity) (err error) {
	// Go marks what it opens, but whoever started this process may have left it something.
	// Linux before 5.11 does not know the call; there that is all.
	unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	onThrowawayThread(func() {
		takeTime()
		if err = dropThreadRights(who.cred != nil); err == nil {
			cmd.SysProcAttr.Credential = who.cred
			err = cmd.Start()
		}
	})
	return err
}

// onThrowawayThread calls f on a thread that is never used again. That cannot be the main
// thread, which the runtime keeps, and whose rights /proc/PID/status shows as the process's.
func onThrowawayThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			onThrowawayThread(f) // cannot be this thread: it is held meanwhile
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// needed are the capabilities of a keeper. Of those of uid 0 it keeps no other.
var needed = map[uintptr]string{
	unix.CAP_NET_ADMIN:        "addresses",
	unix.CAP_NET_RAW:          "ARP and NDP",
	unix.CAP_NET_BIND_SERVICE: "ports below 1024",
	unix.CAP_SETUID:           "users of their own for the children",
	unix.CAP_SETGID:           "the same",
	unix.CAP_SETPCAP:          "children that cannot gain rights",
	unix.CAP_KILL:             "ending a child of another user",
	unix.CAP_SYS_NICE:         "real-time priority",
}

// ShedRights gives up the capabilities that a keeper does not need. Those of uid 0 come
// from the bounding set at exec, and belong to threads: so it takes the others out of that
// set and executes the program again, with the same arguments and pid. It must be called
// before anything else is begun; it returns when there is nothing to give up, or no right
// to (an ordinary user has what systemd or setpriv gave it).
func ShedRights() error {
	if !hasCap(unix.CAP_SETPCAP) {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	shed := false
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if needed[c] != "" || err != nil || has == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("give up capability %d: %w", c, err)
		}
		shed = true
	}
	if !shed {
		return nil
	}
	return fmt.Errorf("execute again with fewer rights: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// dropThreadRights gives up the calling thread's rights for good. With changeUser it
// keeps just what setuid(2) needs, which that call itself then clears.
func dropThreadRights(changeUser bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if hasCap(unix.CAP_SETPCAP) {
		// NOROOT: an exec as uid 0 gains nothing. Where uid 0 is the only user there is,
		// as in a rootless lab, this is all that keeps a child from being root again.
		const noRoot = 1<<0 | 1<<1 // SECBIT_NOROOT, SECBIT_NOROOT_LOCKED of linux/securebits.h
		if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil {
			return fmt.Errorf("securebits: %w", err)
		}
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
			if err != nil && err != unix.EINVAL { // EINVAL: a capability newer than this kernel
				return fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
			}
		}
	}
	// Without that capability, as in a container that has but what it needs, no_new_privs
	// alone keeps an exec as uid 0 from gaining what its thread did not have (capabilities(7)).
	var keep uint32
	if changeUser {
		keep = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: keep, Permitted: keep}}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return nil
}

// hasCap says whether the calling thread has a capability (of the first 32) in effect.
func hasCap(c uint) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<c) != 0
}

// rights is what the kernel says of a process in /proc/PID/status.
type rights struct {
	UID            int
	CapEff, CapBnd string
	NoNewPrivs     bool
	RSSBytes       int64
}

func readRights(pid int) (rights, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return rights{}, err
	}
	var r rights
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		switch key {
		case "Uid":
			r.UID, _ = strconv.Atoi(words[0])
		case "CapEff":
			r.CapEff = words[0]
		case "CapBnd":
			r.CapBnd = words[0]
		case "NoNewPrivs":
			r.NoNewPrivs = words[0] == "1"
		case "VmRSS":
			kib, _ := strconv.ParseInt(words[0], 10, 64)
			r.RSSBytes = kib << 10
		}
	}
	return r, nil
}

// clockTick is the unit of processor time in /proc: USER_HZ, 100 on every architecture that
// Go runs on.
const clockTick = 10 * time.Millisecond

// cpuTime is how much processor time a process has used, its children's not included; 0 when
// it is gone.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field, a name in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system = 14 - 3, 15 - 3 // proc_pid_stat(5), counted from the third field
	if len(fields) <= system {
		return 0
	}
	u, _ := strconv.ParseInt(fields[user], 10, 64)
	s, _ := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * clockTick
}
