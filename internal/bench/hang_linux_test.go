package main

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestAThreadStandsStillUntilItIsReleased(t *testing.T) {
	// A grandchild, as the daemons are: what a child of ours does, its waiting parent would learn first.
	c := exec.Command("/bin/sh", "-c", "sleep 1000 & echo $!; wait")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })

	g, err := grab([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if !stopped(pid) {
		t.Error("it moves while it is held")
	}
	g.release()
	for end := time.Now().Add(10 * time.Second); stopped(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still stands 10 s after it was let go")
		}
	}

	// Killed while it is held, it ends for its parent as well.
	if g, err = grab([]int{pid}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("its parent has not heard of its death for 10 s")
	}
	g.release()
	if _, err := grab([]int{pid}); err == nil {
		t.Error("the dead can be held")
	}
}

func TestAThreadIsReadFromItsLine(t *testing.T) {
	got, err := parseThread("7 (a) b) S 1 7 7 0 -1 4194304 10 0 0 0 12 30 0 0 20 0 9 0 100")
	if err != nil || got != (thread{name: "a) b", ticks: 42}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"", "7 sleep S 1", "7 (sleep) S 1 7", "7 (sleep) S 1 7 7 0 -1 4194304 10 0 0 0 x 30 0"} {
		if got, err := parseThread(wrong); err == nil {
			t.Errorf("%q gives %+v", wrong, got)
		}
	}
	if got := busiest([]thread{{tid: 1, ticks: 2}, {tid: 2, ticks: 9}, {tid: 3}}); got.tid != 2 {
		t.Errorf("%d is called the busiest", got.tid)
	}
}
