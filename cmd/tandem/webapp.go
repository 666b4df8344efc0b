package main

import (
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/webapp"
)

func newWebapp() *cobra.Command {
	var cfg webapp.Config
	cmd := &cobra.Command{
		Use:    "webapp",
		Short:  "the demo's web app",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			cfg.Log = newLog("webapp", nil)
			return webapp.Run(ctx, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", ":3000", "where it listens")
	f.StringVar(&cfg.Name, "name", "", "shown in every answer (default the host name)")
	f.DurationVar(&cfg.Delay, "delay", 0, "added to every answer of /")
	f.DurationVar(&cfg.Drain, "drain", 10*time.Second, "how long requests in flight may take after SIGTERM")
	return cmd
}
