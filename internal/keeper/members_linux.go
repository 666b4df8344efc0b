package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stateVariable is how systemd names a unit's StateDirectory; a list with colons.
const stateVariable = "STATE_DIRECTORY"

// openState opens the files that control needs after a restart, those of a balancer or of
// its own: in which it remembers the members of the cluster, so that it finds the apps at
// once, the gossip keys as they were rotated, the timeline, and what was set of backends by hand. It returns none where there is no place
// for them: then the apps find the balancer, and the key file says which keys there are.
// Control itself has no right to open files.
func openState(dir string) ([]*os.File, error) {
	if dir == "" {
		if dir, _, _ = strings.Cut(os.Getenv(stateVariable), ":"); dir == "" {
			return nil, nil
		}
	}
	err := os.MkdirAll(dir, 0o700)
	var files []*os.File
	for _, name := range []string{"members", "gossip-keys", "timeline.0", "timeline.1", "backends"} {
		var f *os.File
		if err == nil {
			f, err = os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		}
		if err == nil {
			files = append(files, f)
		}
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("state_dir: %w; name another with --state, or leave it out", err)
	}
	return files, nil
}
