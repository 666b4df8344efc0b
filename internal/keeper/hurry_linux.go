package keeper

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// sparePs is how many more threads than there are cores may be in the midst of Go code.
	sparePs = 6
	// spareHeap is by how many percent the heap grows before the garbage is collected: to 32 MB at least, which
	// a keeper takes minutes to fill.
	spareHeap = 800
	// bestNice is the best of the ordinary priorities.
	bestNice = -20
)

// spare keeps the Go runtime from holding up the thread that sends adverts, whatever that one's priority (E1). A
// thread that the kernel has set aside on a busy machine, in the midst of Go code, keeps its P; the sender needs one.
// And to collect garbage all threads are stopped: each has to come to its turn first, several times. (40 busy
// sessions on 2 cores, 600 rounds of a SCHED_FIFO thread beside three that allocate: with Go's defaults 109 were
// late by more than 20 ms, the worst by 645 ms; with 8 Ps 18, and without collections none, the worst by 9 ms.)
func spare() {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+sparePs))
	if old := debug.SetGCPercent(spareHeap); old != 100 {
		debug.SetGCPercent(old) // GOGC says something else
	}
}

// hurry gives the calling thread the lowest real-time priority, since the thread sleeps nearly always, or, where
// only that is granted, the best of the ordinary ones. The error says why it has no real-time priority.
func hurry() error {
	fifo := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	if fifo == nil {
		return nil
	}
	fifo = fmt.Errorf("SCHED_FIFO: %w", fifo)
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, bestNice); err != nil { // of this thread: who is 0
		return fmt.Errorf("%w, and nice %d: %w", fifo, bestNice, err)
	}
	return fifo
}

// usualNice is the niceness that this process was started with, and that what it starts is given.
var usualNice = sync.OnceValue(func() int {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - raw // what the system call returns is never negative
})

// ahead gives all threads of this process, and so those they will start, the best of the ordinary priorities. Who
// collects the garbage waits for all of them, and the sender waits for that; and a question that comes late to its
// answer is a false alarm of the other node (E4). The error says why they do not have it.
func ahead() error {
	usualNice()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("nice %d: %w", bestNice, err)
	}
	for _, d := range threads {
		id, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, bestNice); err != nil && err != unix.ESRCH { // ESRCH: it has ended
			return fmt.Errorf("nice %d: %w", bestNice, err)
		}
	}
	return nil
}
