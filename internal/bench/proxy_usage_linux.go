package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A spending is what each process below one, and it itself, has used up by now.
type spending map[int]struct {
	cpu time.Duration // of all threads, those that have ended included
	mem float64       // resident, in MB of 10^6 bytes
}

// tick is the unit of /proc/PID/stat: USER_HZ is 100 wherever Linux runs Go.
const tick = 10 * time.Millisecond

// spentBy reads the process pid and all of its descendants.
func spentBy(pid int) spending {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	parents, all := map[int]int{}, spending{}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		f := statFields(id)
		if len(f) < 22 {
			continue
		}
		number := func(i int) float64 { n, _ := strconv.ParseFloat(f[i], 64); return n }
		parents[id] = int(number(1))
		u := all[id]
		u.cpu = time.Duration(number(11)+number(12)) * tick
		u.mem = number(21) * float64(os.Getpagesize()) / 1e6
		all[id] = u
	}
	for id := range all {
		for up := id; up != pid; up = parents[up] {
			if up == 0 {
				delete(all, id)
				break
			}
		}
	}
	return all
}

// statFields are those of /proc/PID/stat behind the name: state, parent …
func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}

// cpuTo is the processor time from one moment to a later one: of the process that
// used most, and of all.
func (u spending) cpuTo(later spending) (one, all time.Duration) {
	for id, x := range later {
		d := x.cpu - u[id].cpu
		one, all = max(one, d), all+d
	}
	return one, all
}

// memoryTo is by how much memory grew: that of the process that grew most, and
// of all.
func (u spending) memoryTo(later spending) (one, all float64) {
	for id, x := range later {
		d := x.mem - u[id].mem
		one, all = max(one, d), all+d
	}
	return one, all
}
