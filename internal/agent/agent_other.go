//go:build !linux

package agent

import (
	"context"
	"errors"
	"os"
)

// Run needs Linux: it says how to get one.
func Run(context.Context, Config, <-chan os.Signal) (exitCode int, err error) {
	return 1, errors.New("tandem agent needs Linux; run it in a container (docker run) or in a virtual machine (vagrant up, WSL 2)")
}

// Signals are those that Run wants to be given.
func Signals() []os.Signal { return []os.Signal{os.Interrupt} }
