package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stateVariable is how systemd names a unit's StateDirectory; a list with colons.
const stateVariable = "STATE_DIRECTORY"

// openMembers opens the file in which control remembers the members of the cluster, so that
// a balancer that was restarted finds the apps at once. It returns nil where there is no
// place for it: then the apps find the balancer. Control itself has no right to open files.
func openMembers(dir string) (*os.File, error) {
	if dir == "" {
		if dir, _, _ = strings.Cut(os.Getenv(stateVariable), ":"); dir == "" {
			return nil, nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state_dir: %w; name another with --state, or leave it out", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "members"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w; name another with --state, or leave it out", err)
	}
	return f, nil
}
