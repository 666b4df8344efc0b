package membership

import (
	"errors"
	"io"
	"os"
)

// store is where a snapshot is kept. A load reads no more than is needed to see that it is too long.
type store interface {
	name() string
	load() ([]byte, error)
	save(b []byte) error
}

// snapshotStore returns what Config names, or nil.
func (c *Cluster) snapshotStore() store {
	switch {
	case c.cfg.SnapshotFile != nil:
		return openStore{c.cfg.SnapshotFile}
	case c.cfg.Snapshot != "":
		return pathStore(c.cfg.Snapshot)
	}
	return nil
}

// pathStore is a file that may be replaced.
type pathStore string

func (p pathStore) name() string { return string(p) }

func (p pathStore) load() ([]byte, error) {
	f, err := os.Open(string(p))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSnapshotBytes+1))
}

// save replaces the file as a whole, or leaves it as it is.
func (p pathStore) save(b []byte) (err error) {
	fresh := string(p) + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, string(p))
}

// openStore is a file that somebody else has opened.
type openStore struct{ f *os.File }

func (o openStore) name() string { return o.f.Name() }

// load of an empty file finds none: it was made for this run.
func (o openStore) load() ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(o.f, 0, maxSnapshotBytes+1))
	if err == nil && len(b) == 0 {
		return nil, os.ErrNotExist
	}
	return b, err
}

func (o openStore) save(b []byte) error {
	if _, err := o.f.WriteAt(b, 0); err != nil {
		return err
	}
	return errors.Join(o.f.Truncate(int64(len(b))), o.f.Sync())
}
