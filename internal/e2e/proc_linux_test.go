package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The lab's own /proc shows every process of every host.

// childrenOf returns the processes whose parent is pid.
func (s *site) childrenOf(pid int) []int {
	s.t.Helper()
	var out []int
	for _, tid := range s.threads(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, tid))
		if err != nil {
			continue // a thread that has just ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			n, err := strconv.Atoi(word)
			if err != nil {
				s.t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

func (s *site) threads(pid int) []string {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// args returns a process's command line, nothing when it has ended.
func (s *site) args(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// pidInside is a process's pid as its own host sees it, which has a namespace of its own.
func (s *site) pidInside(pid int) int {
	s.t.Helper()
	all := strings.Fields(procStatus(s.t, fmt.Sprintf("/proc/%d/status", pid))["NSpid"])
	n, err := strconv.Atoi(all[len(all)-1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// proxyProcesses returns all proxies in the host of a balancer, whoever their parent is.
func (s *site) proxyProcesses(lb string) (pids []int) {
	s.t.Helper()
	s.each(lb, func(pid int, args []string) {
		if args[1] == "proxy" {
			pids = append(pids, pid)
		}
	})
	return pids
}

// kindsOf returns what each process of tandem's in the host of a balancer is, sorted.
func (s *site) kindsOf(lb string) (kinds []string) {
	s.t.Helper()
	s.each(lb, func(_ int, args []string) {
		if slices.Contains([]string{"lb", "proxy", "control"}, args[1]) {
			kinds = append(kinds, args[1])
		}
	})
	slices.Sort(kinds)
	return kinds
}

// each calls f with all processes in the host of a balancer that have arguments.
func (s *site) each(lb string, f func(pid int, args []string)) {
	s.t.Helper()
	home, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.procs[lb].Pid()))
	if err != nil {
		s.t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args := s.args(pid)
		if ns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); ns == home && len(args) > 1 {
			f(pid, args)
		}
	}
}
