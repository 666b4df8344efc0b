package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tandem-lb/tandem/internal/lab"
)

// workVar names the environment variable with the folder of this run: the outer process
// makes it, with tandem in it, and removes it when all is over; the inner one works in it.
const workVar = "TANDEM_BENCH_WORK"

// run does what the options say, inside a lab. It is called once outside and once inside.
func run(o options) (code int, err error) {
	if os.Getenv(workVar) == "" {
		if err := possible(o); err != nil {
			return exitFailed, err
		}
		work, err := prepare(o.tandem)
		if err != nil {
			return exitFailed, err
		}
		defer os.RemoveAll(work)
	}
	inside, code, err := lab.Enter()
	if err != nil || !inside {
		return code, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	stacks := stacksFor(o, os.Stderr)
	do := failover
	if o.command == "overload" {
		do = overload
	}
	ok, err := do(ctx, o, stacks, os.Stdout, os.Stderr)
	if !ok && err == nil {
		code = exitFailed
	}
	return code, err
}

// possible says what is missing here, if anything.
func possible(o options) error {
	if err := lab.Preflight(); err != nil {
		return err
	}
	if o.logs != "" {
		if err := os.MkdirAll(o.logs, 0o755); err != nil {
			return err
		}
	}
	if len(o.peers) == 0 {
		return nil
	}
	return peerMissing()
}

// peerMissing names the peers' programs that are not installed, and the remedy.
func peerMissing() error {
	var missing []string
	for _, path := range []string{keepalivedPath, haproxyPath, killallPath} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("no %s here; %s", strings.Join(missing, ", no "), peerRemedy)
}

// prepare makes this run's folder, with a tandem in it: the binary that was named, or else
// the one of this source tree.
func prepare(binary string) (work string, err error) {
	if work, err = os.MkdirTemp("", "tandem-bench-"); err != nil {
		return "", err
	}
	place := filepath.Join(work, tandemName)
	if binary == "" {
		err = build(place)
	} else if binary, err = filepath.Abs(binary); err == nil {
		if _, err = os.Stat(binary); err == nil {
			err = os.Symlink(binary, place)
		}
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(work))
	}
	return work, os.Setenv(workVar, work)
}

func build(place string) error {
	c := exec.Command("go", "build", "-o", place, "github.com/tandem-lb/tandem/cmd/tandem")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("build tandem: %w", err)
	}
	return nil
}

const tandemName = "tandem"

// tandemPath is where prepare left it.
func tandemPath() string { return filepath.Join(os.Getenv(workVar), tandemName) }
