package main

import (
	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newHandover() *cobra.Command {
	var (
		look      lookFlags
		group, to string
	)
	cmd := &cobra.Command{
		Use:     "handover",
		Short:   "move the VIP to another balancer, losing no connection",
		GroupID: groupSteer,
		Args:    cobra.NoArgs,
		Long: `Move the VIPs to another balancer. New connections go there at once; the old one goes
on with those that it has, which the new one forwards to it, and ends each with its
next answer. It can be asked of either balancer, and ends when the new one is active;
while the old one still drains, the VIP can go back to it only.

Where that cannot be done without breaking connections, the VIPs move all the same,
and the answer says so.`,
		Example: `  tandem handover
  tandem handover --to lb2`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := api.NewClient(look.socket).HandOver(cmd.Context(), group, to)
			if err != nil {
				return err
			}
			return printDone(cmd.OutOrStdout(), done, look.json)
		},
	}
	look.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the balancer that is to be active (default the best one)")
	cmd.Flags().StringVar(&group, "group", "", "VIP group (default all)")
	completeFlag(cmd, "to", peerNames)
	completeFlag(cmd, "group", groupNames)
	return cmd
}
