package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newReload() *cobra.Command {
	var (
		look       lookFlags
		proxy, dry bool
	)
	cmd := &cobra.Command{
		Use:     "reload",
		Short:   "bring the changed configuration into effect, losing no request",
		GroupID: groupSteer,
		Args:    cobra.NoArgs,
		Long: `Have the balancer on this host load its configuration file and key files again, as
SIGHUP does. All of it takes effect or nothing: an error in the file, an address that is
taken, or a key that cannot change while the balancer runs (each is named) leaves
everything as it was. Backends that stay keep their state and counters; new ones are
checked before they get requests; connections go on.

Each balancer is reloaded by itself. 'tandem status' says when another one has a
different configuration.

With --proxy the configuration stays, and a new proxy process takes the place of the
one that serves. It gets the same listening sockets, and serves once it sees as many
backends up; then the old one takes no new connections, ends each of those it has with
its next answer, and ends with the last of them, or after drain_time.`,
		Example: `  tandem reload --dry-run
  tandem reload
  tandem reload --proxy`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := api.NewClient(look.socket)
			if proxy {
				done, err := client.ReplaceProxy(cmd.Context())
				if err != nil {
					return err
				}
				return printDone(cmd.OutOrStdout(), done, look.json)
			}
			r, err := client.Reload(cmd.Context(), dry)
			if err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return printReload(cmd.OutOrStdout(), r)
		},
	}
	look.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
	cmd.Flags().BoolVar(&proxy, "proxy", false, "replace the proxy process, and leave the configuration")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "proxy")
	return cmd
}

func printReload(w io.Writer, r api.Reload) error {
	for _, c := range r.Changes {
		fmt.Fprintln(w, c.Text)
	}
	_, err := fmt.Fprintln(w, r.Message)
	return err
}

// printDone prints what an order has done.
func printDone(w io.Writer, done api.Done, asJSON bool) error {
	if asJSON {
		return printJSON(w, done)
	}
	_, err := fmt.Fprintln(w, done.Message)
	return err
}
