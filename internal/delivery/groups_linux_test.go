package delivery

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// hierarchies are where systemd looks for its control groups: one, of version 2, or that and
// a named one of version 1.
var hierarchies = []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}

// groupName begins with the number of the outermost process, which removes what is left.
func groupName(outer, name string) string { return "tandem-delivery-" + outer + "-" + name }

// makeGroups makes a control group of the machine's own in each hierarchy.
func makeGroups(t *testing.T, name string) (groups []string) {
	t.Helper()
	for _, h := range hierarchies {
		if _, err := os.Stat(filepath.Join(h, "cgroup.procs")); err != nil {
			continue
		}
		g := filepath.Join(h, groupName(os.Getenv(innerVar), name))
		if err := os.Mkdir(g, 0o755); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		groups = append(groups, g)
	}
	return groups
}

// removeGroup removes a control group that nothing runs in, and all below it.
func removeGroup(group string) {
	var below []string
	filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return nil
	})
	for _, g := range slices.Backward(below) {
		os.Remove(g)
	}
}

// removeGroups removes all of a test run, after it has ended.
func removeGroups(outer string) {
	for _, h := range hierarchies {
		left, _ := filepath.Glob(filepath.Join(h, groupName(outer, "*")))
		for _, g := range left {
			removeGroup(g)
		}
	}
}
