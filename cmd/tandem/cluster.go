package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newJoin() *cobra.Command {
	return doneCommand(&cobra.Command{
		Use:     "join SEED…",
		Short:   "have a running balancer look for other members, once",
		GroupID: groupSteer,
		Args:    cobra.MinimumNArgs(1),
		Long: `Have the balancer on this host try each SEED now: an address or a name, with a port if
it is not 7946. One that answers suffices, and brings all that it knows. The seeds are
not kept: those of the configuration, and members that were there, are tried for ever
without this.`,
		Example: "  tandem join 192.168.42.12",
	}, func(ctx context.Context, c *api.Client, args []string) (api.Done, error) { return c.Join(ctx, args) })
}

func newLeave() *cobra.Command {
	cmd := doneCommand(&cobra.Command{
		Use:     "leave --socket AGENT",
		Short:   "have an agent drain its apps, leave the cluster, and end",
		GroupID: groupSteer,
		Args:    cobra.NoArgs,
		Long: `Have the agent that listens on --socket (the one it was given, or agent.toml names) do
what it does on SIGTERM: its apps are announced as draining and serve on until no
balancer has a request under way to them, then they are stopped, and the agent says
goodbye and ends. This returns when it has; with Ctrl-C it goes on without being waited
for. Without --socket it is TANDEM_SOCKET, which an agent's own processes find set.

A balancer refuses: it leaves when it stops, since the VIP and the connections would stay
behind otherwise. 'tandem handover' moves the VIP, 'tandem maint on' keeps a balancer as
a spare, and stopping it (SIGTERM, systemctl stop) does the first and leaves.`,
		Example: "  tandem leave --socket /run/tandem/agent.sock",
	}, func(ctx context.Context, c *api.Client, _ []string) (api.Done, error) {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return c.Leave(ctx)
	})
	if path := os.Getenv("TANDEM_SOCKET"); path != "" {
		f := cmd.Flags().Lookup("socket")
		f.DefValue = path
		_ = f.Value.Set(path) // a text takes any
	}
	cmd.Flags().Lookup("socket").Usage = "socket of the agent"
	return cmd
}

func newEvent() *cobra.Command {
	return doneCommand(&cobra.Command{
		Use:     "event NAME [PAYLOAD]",
		Short:   "tell every member of something that is yours",
		GroupID: groupSteer,
		Args:    cobra.RangeArgs(1, 2),
		Long: `Tell every member that is there, balancers and agents, of an event. Each takes it at
least once, and once only of one command; the command returns when all have, or says
who has not. NAME has letters, digits, dots, underscores and dashes; the payload at
most 8 KiB. Each member writes it to its log, but not the payload.`,
		Example: "  tandem event deploy v1.2.3",
	}, func(ctx context.Context, c *api.Client, args []string) (api.Done, error) {
		e := api.Event{Name: args[0]}
		if len(args) > 1 {
			e.Payload = []byte(args[1])
		}
		return c.Event(ctx, e)
	})
}

// doneCommand completes a command that gives one order and prints what was done.
func doneCommand(cmd *cobra.Command, order func(context.Context, *api.Client, []string) (api.Done, error)) *cobra.Command {
	var look lookFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		done, err := order(cmd.Context(), api.NewClient(look.socket), args)
		if err != nil {
			return err
		}
		return printDone(cmd.OutOrStdout(), done, look.json)
	}
	look.add(cmd)
	return cmd
}
