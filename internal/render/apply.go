package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fileWord stands for the new file's name in a check.
const fileWord = "{file}"

// Job is a template with what is to be done with its text.
type Job struct {
	Source string
	Target string
	Check  []string // must succeed with the new file in place of {file}; nil: none
	Reload []string // run after the target has changed; nil: none
	Keep   int      // earlier versions
	// Run runs a program, and says what went wrong.
	Run func(ctx context.Context, argv []string) error

	Owed bool // the target has changed, and the reload has not succeeded
}

// Try says what would keep the target from saying what the template makes of data, other
// than the reload. It changes nothing.
func (j *Job) Try(ctx context.Context, data Data) error {
	text, err := Text(j.Source, data)
	if err != nil {
		return err
	}
	file, err := j.candidate(ctx, j.place(), text)
	if err == nil {
		err = os.Remove(file)
	}
	return err
}

// Apply has the target say what the template makes of data. changed: it does now, and did
// not before, whether the reload then succeeded or not.
func (j *Job) Apply(ctx context.Context, data Data) (changed bool, err error) {
	text, err := Text(j.Source, data)
	if err != nil {
		return false, err
	}
	target := j.place()
	old, err := os.ReadFile(target)
	switch {
	case err == nil && bytes.Equal(old, text):
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if err := j.replace(ctx, target, text); err != nil {
			return false, err
		}
		changed, j.Owed = true, true
	default:
		return false, err
	}
	if j.Owed && j.Reload != nil {
		if err := j.Run(ctx, j.Reload); err != nil {
			return changed, fmt.Errorf("reload: %w", err)
		}
	}
	j.Owed = false
	return changed, nil
}

// place is where the target is: a link stays one.
func (j *Job) place() string {
	if real, err := filepath.EvalSymlinks(j.Target); err == nil {
		return real
	}
	return j.Target
}

// replace puts text in the target's place, once the check has accepted it.
func (j *Job) replace(ctx context.Context, target string, text []byte) error {
	file, err := j.candidate(ctx, target, text)
	if err != nil {
		return err
	}
	defer os.Remove(file) // of no consequence when it has been renamed
	if err := j.keep(target); err != nil {
		return err
	}
	if err := os.Rename(file, target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// candidate writes text into a file beside the target that the check has accepted.
func (j *Job) candidate(ctx context.Context, target string, text []byte) (file string, err error) {
	dir, base := filepath.Split(target)
	f, err := os.CreateTemp(dir, "."+base+".*.new")
	if err != nil {
		return "", fmt.Errorf("%w; the user that renders it must be allowed to write there", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(likeTarget(f, target), writeAll(f, text)); err != nil {
		return "", err
	}
	if j.Check != nil {
		argv := make([]string, len(j.Check))
		for i, word := range j.Check {
			argv[i] = strings.ReplaceAll(word, fileWord, f.Name())
		}
		if err := j.Run(ctx, argv); err != nil {
			return "", fmt.Errorf("the check refuses the new file, so the old one stays: %w", err)
		}
	}
	return f.Name(), nil
}

func writeAll(f *os.File, text []byte) error {
	_, err := f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// likeTarget gives the new file the old one's mode, owner and group.
func likeTarget(f *os.File, target string) error {
	info, err := os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Chmod(0o644)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", target)
	}
	if err := sameOwner(f, info); err != nil {
		return fmt.Errorf("%w; render it as the user to whom %s belongs", err, target)
	}
	return f.Chmod(info.Mode().Perm())
}

// keep makes the target the newest of the earlier versions, beside itself: there is no
// moment in which it is not there.
func (j *Job) keep(target string) error {
	version := func(n int) string { return target + "." + strconv.Itoa(n) }
	if _, err := os.Lstat(target); err != nil || j.Keep == 0 {
		return nil
	}
	for n := j.Keep; n > 1; n-- {
		if err := os.Rename(version(n-1), version(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(version(1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(target, version(1))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
