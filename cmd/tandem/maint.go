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
	var look lookFlags
	cmd := &cobra.Command{
		Use:   "on",
		Short: "hand the VIPs over, and be no candidate for them until 'maint off'",
		Args:  cobra.NoArgs,
		Long: `Take this balancer out of service: the VIPs that it has are handed over first, without
loss where that is possible, and where nobody can take them over nothing changes. From
then on it is no candidate for any VIP, whatever happens to the others; what it has left
of connections goes on. It ends with 'tandem maint off', or with a restart of this
balancer. 'tandem status' shows it here, and the other balancers see a fitness of 0.`,
		Example: "  tandem maint on",
	}
	if !on {
		cmd.Use, cmd.Short = "off", "be a candidate for the VIPs again"
		cmd.Long = "End the maintenance of this balancer. No VIP moves for this reason alone, unless preempt\nis on and this balancer has the higher priority."
		cmd.Example = "  tandem maint off"
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		done, err := api.NewClient(look.socket).Maintain(cmd.Context(), on)
		if err != nil {
			return err
		}
		return printDone(cmd.OutOrStdout(), done, look.json)
	}
	look.add(cmd)
	return cmd
}
