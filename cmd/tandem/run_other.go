//go:build !linux

package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/config"
)

// errNeedsLinux is what lb says here; agent and demo say the same in their own words.
var errNeedsLinux = errors.New(`this command needs Linux: VIPs, network namespaces and epoll are parts of its kernel.
On macOS or Windows run it in a Linux VM, in WSL 2, or in a container:
  docker run --rm -it --privileged -v "$PWD":/src -w /src golang:1.26 go run ./cmd/tandem demo`)

func runLB(*config.Config, func() (*config.Config, error)) error { return errNeedsLinux }

func releaseAll(context.Context, string, []netip.Addr) ([]string, error) { return nil, errNeedsLinux }

func childCommands() []*cobra.Command { return nil }
