//go:build !linux

package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/config"
)

func runLB(*config.Config, slog.Level) error { return errNeedsLinux }

func childCommands() []*cobra.Command { return nil }
