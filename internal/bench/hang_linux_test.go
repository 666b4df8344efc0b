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

func TestTheBusiestIsWhoWorksNow(t *testing.T) {
	const ms = time.Millisecond
	looks := [][]thread{
		{{tid: 1, ran: 900 * ms, poll: true}, {tid: 2, ran: 10 * ms}, {tid: 3, ran: 50 * ms, poll: true}, {tid: 5, ran: ms}},
		{{tid: 1, ran: 900 * ms}, {tid: 2, ran: 14 * ms, poll: true}, {tid: 3, ran: 50 * ms}, {tid: 5, ran: 90 * ms}},
		{{tid: 1, ran: 901 * ms}, {tid: 3, ran: 50 * ms}, {tid: 2, ran: 19 * ms}, {tid: 4, ran: 2 * ms, poll: true}, {tid: 5, ran: 100 * ms}},
	}
	if got, found := busiest(looks); got.tid != 2 || !found {
		t.Errorf("%d is called the busiest (%v)", got.tid, found)
	}
	if got, found := busiest([][]thread{{{tid: 1}}, {{tid: 1, ran: ms}}}); found {
		t.Errorf("%+v never waits for a socket", got)
	}
}

func TestOwnThreadsAreFound(t *testing.T) {
	all, err := threads(syscall.Getpid())
	if err != nil || len(all) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	var naps int
	for _, x := range all {
		naps += x.naps
		if x.name == "" || x.ran <= 0 && x.tid == syscall.Getpid() {
			t.Errorf("nothing is known of %+v", x)
		}
	}
	if naps == 0 {
		t.Error("none of our threads ever slept")
	}
}
