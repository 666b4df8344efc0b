package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/config"
)

func newKeygen() *cobra.Command {
	var (
		asJSON bool
		public string
	)
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
place while the cluster runs.

Whoever holds the gossip key can say that it is a balancer. Agents tell their log to
those alone who prove it by the balancer key: gossip.key holds its public half, in the
line that begins with "balancer". Where the two files were made one by one, --public
prints that line, to be added to the gossip key file of the agents.`,
		Example: `  tandem keygen
  tandem keygen new-gossip.key
  tandem keygen --public balancer.key >> gossip.key`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if public != "" {
				if len(args) > 0 {
					return usage("--public prints a line and makes no file; leave %q out", args)
				}
				return printPublic(w, public, asJSON)
			}
			if err := makeKeys(args); err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"gossip.key", "balancer.key"}
			}
			if asJSON {
				return printJSON(w, map[string][]string{"files": args})
			}
			for _, path := range args {
				fmt.Fprintln(w, path)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&public, "public", "", "print the public line of this balancer key file, and make nothing")
	return cmd
}

// makeKeys makes those that are named, or both that a cluster needs.
func makeKeys(paths []string) error {
	if len(paths) == 0 {
		return config.WriteKeys("gossip.key", "balancer.key")
	}
	for i, path := range paths {
		if err := config.WriteKey(path); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w (made so far: %v)", err, paths[:i])
			}
			return err
		}
	}
	return nil
}

func printPublic(w io.Writer, path string, asJSON bool) error {
	keys, err := config.ReadKeys("--public", path)
	if err != nil {
		return err
	}
	line := config.PublicLine(keys[0])
	if asJSON {
		return printJSON(w, map[string]string{"line": line})
	}
	_, err = fmt.Fprintln(w, line)
	return err
}
