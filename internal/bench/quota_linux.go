package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cgroups     = "/sys/fs/cgroup"
	quotaPeriod = 100 * time.Millisecond // the kernel's default
)

// quotas limit what the processes of a node may use of the processors.
type quotas struct{ dirs []string }

// limit gives a node's processes this many processors. What they start is limited as well.
func (q *quotas) limit(n *node, share float64) error {
	parent, files, err := quotaFiles(share)
	if err != nil {
		return err
	}
	dir := filepath.Join(parent, fmt.Sprintf("tandem-bench-%s-%s", filepath.Base(os.Getenv(workVar)), n.name))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("a CPU quota needs cgroups that can be written (run as root, outside of containers): %w", err)
	}
	q.dirs = append(q.dirs, dir)
	for _, f := range files {
		err := os.WriteFile(filepath.Join(dir, f[0]), []byte(f[1]), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for range 2 { // once more for those that were being started
		list, err := n.processes()
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(p.pid)), 0); err != nil {
				return fmt.Errorf("move %v into %s: %w", p, dir, err)
			}
		}
	}
	return nil
}

// quotaFiles says where a group is made, and which files of it to write, in order.
func quotaFiles(share float64) (parent string, files [][2]string, err error) {
	period := strconv.FormatInt(quotaPeriod.Microseconds(), 10)
	quota := strconv.FormatInt(int64(share*float64(quotaPeriod.Microseconds())), 10)
	if _, err := os.Stat(filepath.Join(cgroups, "cpu", "cpu.cfs_quota_us")); err == nil {
		return filepath.Join(cgroups, "cpu"), [][2]string{
			{"cpu.cfs_period_us", period},
			{"cpu.cfs_quota_us", quota},
			// Without a share of its own a group takes no thread of real-time priority, where the kernel groups
			// those at all. The shares of both balancers must fit into the whole, 0.95 of each second.
			{"cpu.rt_runtime_us", "400000"},
		}, nil
	}
	control := filepath.Join(cgroups, "cgroup.subtree_control")
	if err := os.WriteFile(control, []byte("+cpu"), 0); err != nil {
		return "", nil, fmt.Errorf("a CPU quota needs the cpu controller of cgroups, and to be root: %w", err)
	}
	return cgroups, [][2]string{{"cpu.max", quota + " " + period}}, nil
}

// remove removes the groups, once what was in them has ended.
func (q *quotas) remove() error {
	var errs []error
	for _, dir := range q.dirs {
		errs = append(errs, removeGroup(dir))
	}
	return errors.Join(errs...)
}

func removeGroup(dir string) error {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || time.Now().After(end) || !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
}
