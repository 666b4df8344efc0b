package lab_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestCloseLeavesNothing(t *testing.T) {
	lab.Need(t)
	count := func() [4]int {
		fds, _ := os.ReadDir("/proc/self/fd")
		links, _ := net.Interfaces()
		return [...]int{len(processes(t)), len(fds), len(links), runtime.NumGoroutine()}
	}
	round := func() {
		l, err := lab.New(lab.Config{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
		p := startRole(t, a, "sleep")
		run(t, b, "describe")
		if _, err := a.Forward(0, netip.MustParseAddrPort("10.0.0.2:80")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		<-p.Done()
		if _, err := l.Host("c"); err == nil {
			t.Error("a closed lab took a host")
		}
		if err := a.PowerOn(); err == nil {
			t.Error("a closed lab powered a host on")
		}
	}
	round() // the runtime opens some things for good
	before := count()
	round()
	await(t, "no more processes, descriptors, links and goroutines than before", func() bool {
		for i, n := range count() {
			if n > before[i] {
				return false
			}
		}
		return true
	})
}

func TestASIGKILLOfTheOuterProcessLeavesNothing(t *testing.T) {
	lab.Need(t)
	cmd, out := outerProcess(t, "outer")
	expect(t, out, "ready\n")
	family := descendants(t, cmd.Process.Pid)
	if len(family) < 5 { // init, program, switch, host, sleeper
		t.Fatalf("only %d processes", len(family))
	}
	cmd.Process.Kill()
	cmd.Wait()
	await(t, "all of them have ended", func() bool { return !slices.ContainsFunc(family, alive) })
}

func TestAPanicInsideEndsEverything(t *testing.T) {
	lab.Need(t)
	cmd := exec.Command("/proc/self/exe")
	var errs bytes.Buffer
	cmd.Env, cmd.Stderr = roleEnv("outer panic"), &errs
	before := len(processes(t))
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(errs.String(), "panic: as told") {
		t.Errorf("stderr: %s", &errs)
	}
	await(t, "the processes are as before", func() bool { return len(processes(t)) == before })
}

func TestASignalIsPassedOnOnceAndTheExitCodeComesBack(t *testing.T) {
	lab.Need(t)
	cmd, out := outerProcess(t, "outer")
	expect(t, out, "ready\n")
	cmd.Process.Signal(syscall.SIGTERM)
	expect(t, out, "term 0\n")
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestForwardBringsTheUserIntoAHost(t *testing.T) {
	lab.Need(t)
	cmd, out := outerProcess(t, "outer forward")
	at, err := out.ReadString('\n')
	if err != nil || !strings.HasPrefix(at, "127.0.0.1:") {
		t.Fatalf("Forward() = %q, %v", at, err)
	}
	want := bytes.Repeat([]byte("tandem"), 50000)
	for range 3 {
		c, err := net.Dial("tcp", strings.TrimSpace(at))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		go func() {
			c.Write(want)
			c.(*net.TCPConn).CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d came back: %v", len(got), len(want), err)
		}
		c.Close()
	}
	idle, err := net.Dial("tcp", strings.TrimSpace(at)) // Close must not wait for it
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", strings.TrimSpace(at)); err == nil {
		t.Error("it still listens")
	}
}

func TestAllOfThisWorksForAnOrdinaryUser(t *testing.T) {
	lab.Need(t)
	if os.Getenv("LAB_TEST_AGAIN") != "" {
		return // this is that run
	}
	if userIsOrdinary() {
		return // this is a run by an ordinary user already
	}
	cmd := exec.Command("/proc/self/exe", "-test.v")
	cmd.Env, cmd.Dir = append(os.Environ(), "LAB_TEST_AGAIN=1", "TMPDIR=/tmp"), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as uid 65534: %v\n%s", err, out)
	}
	if _, after, skipped := strings.Cut(string(out), "--- SKIP"); skipped {
		t.Skipf("root has a lab here, an ordinary user has none: %s", after)
	}
	if !bytes.Contains(out, []byte("--- PASS: TestCloseLeavesNothing")) {
		t.Errorf("as uid 65534 nothing was tested:\n%s", out)
	}
}

// outerProcess starts this binary in a role that enters a lab of its own.
func outerProcess(t *testing.T, role string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr = roleEnv(role), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewReader(out)
}

func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); got != want {
		t.Fatalf("it said %q (%v), not %q", got, err, want)
	}
}

// A process is a pid and its start time, which together name it for ever.
type process struct{ pid, parent, born string }

// processes reads all that runs in the lab, zombies left out.
func processes(t *testing.T) (list []process) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if p, ok := readProcess(filepath.Base(dir)); ok {
			list = append(list, p)
		}
	}
	return list
}

func readProcess(pid string) (process, bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return process{}, false
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return process{pid: pid, parent: f[1], born: f[19]}, f[0] != "Z" && f[0] != "X"
}

func alive(p process) bool {
	now, ok := readProcess(p.pid)
	return ok && now.born == p.born
}

// descendants are all below a process.
func descendants(t *testing.T, pid int) (list []process) {
	t.Helper()
	all := processes(t)
	parents := map[string]bool{strconv.Itoa(pid): true}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			if parents[p.parent] && !parents[p.pid] {
				parents[p.pid], grew = true, true
				list = append(list, p)
			}
		}
	}
	return list
}

// processesLike are all in the pid namespace of a process.
func processesLike(t *testing.T, pid int) (list []process) {
	t.Helper()
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes(t) {
		if its, err := os.Readlink("/proc/" + p.pid + "/ns/pid"); err == nil && its == space {
			list = append(list, p)
		}
	}
	return list
}
