package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/demo"
	"github.com/tandem-lb/tandem/internal/lab"
)

func newDemo() *cobra.Command {
	var opt demo.Options
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "show a failover on this machine, without root, in under 40 s",
		GroupID: groupRun,
		Example: "  tandem demo\n  tandem demo --keep",
		Args:    cobra.NoArgs,
		Long: `Build a network of namespaces on this machine: two balancers with a VIP, three web
apps, a client. Then cut the active balancer's power under load, bring it back,
stop and start an app, shut a balancer down, and print what the client saw.

It needs no root, no Docker and no other program, changes nothing outside its own
namespaces, and cleans up after itself.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := lab.Preflight(); err != nil {
				return err
			}
			inside, code, err := lab.Enter()
			if err != nil {
				return err
			}
			if !inside {
				return &exitError{code: code}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			opt.In = cmd.InOrStdin()
			ok, err := demo.Run(ctx, opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err == nil && !ok {
				return &exitError{code: exitFailed}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opt.JSON, "json", false, "print the result as JSON and nothing else")
	f.BoolVar(&opt.Keep, "keep", false, "leave everything running afterwards, to look around")
	return cmd
}
