package agent

import (
	"context"
	"os"
)

// Run joins, starts the command if there is one, announces the app while its check passes, and ends when ctx ends or
// a SIGTERM or SIGINT arrives. exitCode is what the process should exit with: the command's code, 128 + signal if a
// signal ended it, 0 if the agent stopped it, 1 with err.
func Run(ctx context.Context, cfg Config, signals <-chan os.Signal) (exitCode int, err error) {
	return 1, nil
}

// Signals are those that Run wants to be given.
func Signals() []os.Signal { return nil }
