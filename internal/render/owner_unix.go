//go:build unix

package render

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives f to the owner and group of another file.
func sameOwner(f *os.File, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if have, ok := info.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("the new file cannot be given to uid %d and gid %d: %w", want.Uid, want.Gid, err)
	}
	return nil
}
