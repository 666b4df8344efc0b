package lab_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// runRole is what the test binary does as a program in a host.
func runRole(role string) int {
	switch role {
	case "describe":
		describe()
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 2
	}
	return 0
}

// describe says what a program sees of its host.
func describe() {
	name, _ := os.Hostname()
	var run, links, strays []string
	var others []int
	entries, _ := os.ReadDir("/run")
	for _, e := range entries {
		run = append(run, e.Name())
	}
	entries, _ = os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			others = append(others, pid)
		}
	}
	slices.Sort(others)
	list, _ := net.Interfaces()
	for _, i := range list {
		links = append(links, i.Name)
	}
	entries, _ = os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		own := strings.HasPrefix(target, "anon_inode:[event") || strings.HasPrefix(target, "/sys/fs/cgroup/") // Go's runtime's
		if fd > 2 && err == nil && !own {
			strays = append(strays, target)
		}
	}
	fmt.Printf("hostname=%s parent=%d run=%v others=%v links=%v strays=%v\n", name, os.Getppid(), run, others, links, strays)
}
