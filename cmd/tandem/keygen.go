package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/config"
)

func newKeygen() *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:     "keygen [FILE…]",
		Short:   "make keys",
		GroupID: groupSetup,
		Long: `Make a key in each FILE, for its owner alone to read; a file that is there is left as
it is. Without FILE, both keys that a cluster needs are made here:

  gossip.key    admits members and encrypts what they tell each other:
                copy it to every balancer and every agent
  balancer.key  may move the VIP: copy it to the balancers, and nowhere else

'tandem lb' takes them as gossip_key_file and balancer_key_file, or with
--gossip-key-file and --balancer-key-file. 'tandem keys' puts another gossip key in
place while the cluster runs.`,
		Example: `  tandem keygen
  tandem keygen new-gossip.key`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"gossip.key", "balancer.key"}
			}
			for i, path := range args {
				if err := config.WriteKey(path); err != nil {
					if i > 0 {
						err = fmt.Errorf("%w (made so far: %v)", err, args[:i])
					}
					return err
				}
				if !json {
					fmt.Fprintln(cmd.OutOrStdout(), path)
				}
			}
			if json {
				return printJSON(cmd.OutOrStdout(), map[string][]string{"files": args})
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON")
	return cmd
}
