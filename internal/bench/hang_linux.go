package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SIGSTOP stops whole processes. A single thread is stopped as a debugger does it: it is
// seized, interrupted, and let go again later. Meanwhile the others of its process run.

// A grip holds threads still, until it is released.
type grip struct {
	tids    []int
	open    chan struct{} // closed to let go
	stopped chan error    // one answer: all stand still, or why not
	done    chan struct{} // closed when all were let go, or are dead
}

// gripMax is how long it may take until all threads stand still.
const gripMax = time.Second

// grab stops these threads. An error means that none of them is held.
func grab(tids []int) (*grip, error) {
	g := &grip{tids: tids, open: make(chan struct{}), stopped: make(chan error, 1), done: make(chan struct{})}
	go g.hold()
	if err := <-g.stopped; err != nil {
		<-g.done
		return nil, err
	}
	return g, nil
}

// release lets all threads run again, and returns when they do.
func (g *grip) release() {
	close(g.open)
	<-g.done
}

// hold is the debugger: one thread, for the kernel wants it so. It never unlocks the thread,
// which therefore ends here, and with it whatever it may still hold.
func (g *grip) hold() {
	defer close(g.done)
	runtime.LockOSThread()
	if err := g.stop(); err != nil {
		g.stopped <- err
		return
	}
	g.stopped <- nil
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-g.open:
			for _, tid := range g.tids {
				unix.PtraceDetach(tid) // an error means that it is dead
			}
			return
		case <-poll.C:
			g.bury()
		}
	}
}

func (g *grip) stop() error {
	for _, tid := range g.tids {
		if err := unix.PtraceSeize(tid); err != nil {
			return fmt.Errorf("seize thread %d: %w", tid, err)
		}
	}
	for _, tid := range g.tids {
		if err := unix.PtraceInterrupt(tid); err != nil {
			return fmt.Errorf("stop thread %d: %w", tid, err)
		}
	}
	moving := slices.Clone(g.tids)
	for end := time.Now().Add(gripMax); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		moving = slices.DeleteFunc(moving, func(tid int) bool {
			var status unix.WaitStatus
			n, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOHANG, nil)
			return err == nil && n == tid && status.Stopped()
		})
		if len(moving) == 0 {
			return nil
		}
	}
	return fmt.Errorf("threads %v do not stand still within %v", moving, gripMax)
}

// bury waits for threads that have been killed: until their debugger has, their process
// does not end for its parent either.
func (g *grip) bury() {
	g.tids = slices.DeleteFunc(g.tids, func(tid int) bool {
		var status unix.WaitStatus
		n, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOHANG, nil)
		return err != nil || n == tid && (status.Exited() || status.Signaled())
	})
}

// A thread is one of a process's.
type thread struct {
	tid  int
	name string
	ran  time.Duration // on a processor
	naps int           // times that it went to sleep by itself
	poll bool          // it waits for sockets at this moment
}

// threads are all those of a process.
func threads(pid int) ([]thread, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	var out []thread
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		t, err := readThread(fmt.Sprintf("/proc/%d/task/%d/", pid, tid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		t.tid = tid
		out = append(out, t)
	}
	return out, nil
}

// readThread reads a thread's folder in /proc.
func readThread(dir string) (t thread, err error) {
	comm, err := os.ReadFile(dir + "comm")
	if err != nil {
		return t, err
	}
	sched, err := os.ReadFile(dir + "schedstat")
	if err != nil {
		return t, err
	}
	wait, err := os.ReadFile(dir + "wchan")
	if err != nil {
		return t, err
	}
	t.name = strings.TrimSpace(string(comm))
	t.poll = strings.Contains(string(wait), "ep_poll") || strings.Contains(string(wait), "epoll_wait") // as kernels call it
	t.naps, _ = strconv.Atoi(statusLine(dir+"status", "voluntary_ctxt_switches:"))
	// The first of its numbers is nanoseconds on a processor, see proc(5).
	ran, _, _ := strings.Cut(string(sched), " ")
	ns, err := strconv.ParseInt(ran, 10, 64)
	t.ran = time.Duration(ns)
	return t, err
}

// busiest is the thread that ran most from the first to the last look at the same processes,
// of those that were seen to wait for sockets. (Go has a thread that watches the others, and
// naps so often that it runs as much as a loop does under a light load.) false: none was.
func busiest(looks [][]thread) (most thread, found bool) {
	began := map[int]time.Duration{}
	polled := map[int]bool{}
	for i, list := range looks {
		for _, t := range list {
			if i == 0 {
				began[t.tid] = t.ran
			}
			polled[t.tid] = polled[t.tid] || t.poll
		}
	}
	worked := func(t thread) time.Duration { return t.ran - began[t.tid] }
	for _, t := range looks[len(looks)-1] {
		if polled[t.tid] && (!found || worked(t) > worked(most)) {
			most, found = t, true
		}
	}
	return most, found
}
