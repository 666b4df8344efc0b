package e2e

import (
	"fmt"
	"os"
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
