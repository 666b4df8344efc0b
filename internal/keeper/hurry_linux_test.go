package keeper

import (
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// policy is the scheduling class and priority of a thread.
func policy(t *testing.T, id int) [2]uint32 {
	t.Helper()
	attr, err := unix.SchedGetAttr(id, 0)
	if err != nil {
		return [2]uint32{unix.SCHED_RR, 1} // it has ended
	}
	return [2]uint32{attr.Policy, attr.Priority}
}

// One thread above the others would wait for them where they cannot run.
func TestAllThreadsOfTheKeeperComeFirstAndItsChildrenDoNot(t *testing.T) {
	usual := policy(t, 0)
	t.Cleanup(func() {
		eachThread(func(id int) error { return unix.SchedSetAttr(id, usualPriority(), 0) })
	})
	if err := hurry(); err != nil {
		if hasCap(unix.CAP_SYS_NICE) {
			t.Fatal(err)
		}
		t.Logf("no right to it: %v", err)
	} else {
		eachThread(func(id int) error {
			if got := policy(t, id); got != [2]uint32{unix.SCHED_RR, 1} {
				t.Errorf("thread %d has policy and priority %v, want SCHED_RR and 1", id, got)
			}
			return nil
		})
	}
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := startWithoutRights(cmd, identity{}); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if got := policy(t, cmd.Process.Pid); got != usual {
		t.Errorf("a child has policy and priority %v, want %v", got, usual)
	}
}
