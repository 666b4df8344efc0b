package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/tandem-lb/tandem/internal/lab"
)

// parsed reads a command line. done: there is no more to do, but to end with the code.
func parsed[O any](args []string, parse func([]string, io.Writer) (O, error)) (o O, code int, done bool) {
	o, err := parse(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, exitOK, true
	case err != nil:
		return o, exitUsage, true
	}
	return o, exitOK, false
}

// inLab is a command that measures in a lab. Outside, before the lab is entered, ready sees
// whether it can be carried out, and returns the folder of prepare; it is removed at the end.
// measure is told by ctx when to end with what it has.
func inLab[O any](args []string, parse func([]string, io.Writer) (O, error), ready func(O) (work string, err error),
	measure func(ctx context.Context, o O, out, errOut io.Writer) error,
) int {
	o, code, done := parsed(args, parse)
	if done {
		return code
	}
	if os.Getenv(workVar) == "" {
		work, err := ready(o)
		if err != nil {
			return exitWith(err)
		}
		defer os.RemoveAll(work)
	}
	inside, code, err := lab.Enter()
	if err != nil || !inside {
		return max(code, exitWith(err))
	}
	ctx, stop := interruptible()
	defer stop()
	return exitWith(measure(ctx, o, os.Stdout, os.Stderr))
}

// interruptible is a context that ends when somebody wants this program to.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
}

// prepareThen prepares, and then does what else a command needs in that folder.
func prepareThen(tandem string, more func(work string) error) (string, error) {
	work, err := prepare(tandem)
	if err != nil {
		return "", err
	}
	if err := more(work); err != nil {
		return "", errors.Join(err, os.RemoveAll(work))
	}
	return work, nil
}
