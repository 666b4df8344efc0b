package main

import (
	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newMaint() *cobra.Command {
	cmd := backendMaint()
	cmd.AddCommand(nodeMaint(true), nodeMaint(false))
	return cmd
}

// nodeMaint is 'maint on' or 'maint off', about the balancer itself.
func nodeMaint(on bool) *cobra.Command {
	var (
		look lookFlags
		node string
	)
	cmd := &cobra.Command{
		Use:   "on",
		Short: "hand the VIPs over, and be no candidate for them until 'maint off'",
		Args:  cobra.NoArgs,
		Long: `Take this balancer out of service: the VIPs that it has are handed over first, without
loss where that is possible, and where nobody can take them over nothing changes. From
then on it is no candidate for any VIP, whatever happens to the others; what it has left
of connections goes on. It ends with 'tandem maint off', or with a restart of this
balancer. 'tandem status' shows it here, and the other balancers see a fitness of 0.

With --node it is another balancer that does so.` + otherNodeHelp,
		Example: "  tandem maint on\n  tandem maint on --node lb2",
	}
	if !on {
		cmd.Use, cmd.Short = "off", "be a candidate for the VIPs again"
		cmd.Long = "End the maintenance of this balancer, or of --node. No VIP moves for this reason alone, unless\npreempt is on and that balancer has the higher priority." + otherNodeHelp
		cmd.Example = "  tandem maint off\n  tandem maint off --node lb2"
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		done, err := api.NewClient(look.socket).Maintain(cmd.Context(), node, on)
		if err != nil {
			return err
		}
		return printDone(cmd.OutOrStdout(), done, look.json)
	}
	look.add(cmd)
	orderedNodeFlag(cmd, &node, "the balancer (default the one that answers)")
	return cmd
}

const otherNodeHelp = ` Balancers take
orders from each other only if they have a balancer key (tandem keygen); the timeline of
the one that carries it out says who gave it, and where.`

// orderedNodeFlag lets an order be for another balancer.
func orderedNodeFlag(cmd *cobra.Command, node *string, help string) {
	cmd.Flags().StringVar(node, "node", "", help)
	completeFlag(cmd, "node", peerNames)
}
