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
	// a keeper takes a minute to fill at the shortest advert interval.
	spareHeap = 800
	// bestNice is the best of the ordinary priorities.
	bestNice = -20
)

// spare keeps the Go runtime from holding up the thread that sends adverts (E1) where hurry has no real-time
// priority to give. A thread that the kernel has set aside on a busy machine, in the midst of Go code, keeps its P;
// the sender needs one. And to collect garbage all threads are stopped: each has to come to its turn first, several
// times. (40 busy sessions on 2 cores, 600 rounds of a SCHED_FIFO thread beside three that allocate: with Go's
// defaults 109 were late by more than 20 ms, the worst by 645 ms; with 8 Ps 18, and without collections none, the
// worst by 9 ms.)
func spare() {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+sparePs))
	if old := debug.SetGCPercent(spareHeap); old != 100 {
		debug.SetGCPercent(old) // GOGC says something else
	}
}

// hurry gives all threads of this process, and so those that they will start, the lowest real-time priority, or,
// where only that is granted, the best of the ordinary ones. The error says why they have no real-time priority.
//
// It must be all of them, and the same for all. With the sender alone above the others the kernel's trace of a busy
// machine showed it wake, take the processor from a thread that was scanning the sender's own stack for garbage, and
// then wait for that thread in a loop: for 160 ms, until the kernel had found the other one a second processor, or
// for a second, until it took the real-time priority away for a moment. Two false takeovers in ten minutes came of it.
func hurry() error {
	usualPriority()
	lowest := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	rr := eachThread(func(id int) error { return unix.SchedSetAttr(id, lowest, 0) })
	if rr == nil {
		return nil
	}
	rr = fmt.Errorf("SCHED_RR: %w", rr)
	if err := eachThread(func(id int) error { return unix.Setpriority(unix.PRIO_PROCESS, id, bestNice) }); err != nil {
		return fmt.Errorf("%w, and nice %d: %w", rr, bestNice, err)
	}
	return rr
}

// eachThread calls f with every thread of this process that does not end meanwhile.
func eachThread(f func(id int) error) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, d := range threads {
		id, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if err := f(id); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// usualPriority is what this process was started with, and what it starts is given; nil if the kernel does not say.
var usualPriority = sync.OnceValue(func() *unix.SchedAttr {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil
	}
	return attr
})

// takeTime gives the calling thread the usual priority. It is never refused: that is no better than what it has.
func takeTime() {
	if usual := usualPriority(); usual != nil {
		attr := *usual // the call writes to it
		unix.SchedSetAttr(0, &attr, 0)
	}
}
