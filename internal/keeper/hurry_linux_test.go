package keeper

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// niceOfThreads is of every thread of this process.
func niceOfThreads(t *testing.T) (nice []int) {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range threads {
		id, err := strconv.Atoi(d.Name())
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil {
			nice = append(nice, 20-raw)
		}
	}
	return nice
}

func TestTheKeeperComesFirstAndItsChildrenDoNot(t *testing.T) {
	usual := usualNice()
	t.Cleanup(func() {
		threads, _ := os.ReadDir("/proc/self/task")
		for _, d := range threads {
			id, _ := strconv.Atoi(d.Name())
			unix.Setpriority(unix.PRIO_PROCESS, id, usual)
		}
	})
	switch err := ahead(); {
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		if hasCap(unix.CAP_SYS_NICE) {
			t.Fatal(err)
		}
		return // then nothing has changed
	case err != nil:
		t.Fatal(err)
	}
	for _, nice := range niceOfThreads(t) {
		if nice != bestNice {
			t.Errorf("a thread has nice %d, want %d", nice, bestNice)
		}
	}
	var out bytes.Buffer
	cmd := exec.Command("nice")
	cmd.Stdout, cmd.SysProcAttr = &out, &syscall.SysProcAttr{}
	if err := startWithoutRights(cmd, identity{}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != strconv.Itoa(usual) {
		t.Errorf("a child has nice %s, want %d", got, usual)
	}
}
