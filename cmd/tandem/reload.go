package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newReload() *cobra.Command {
	var (
		look  lookFlags
		proxy bool
	)
	cmd := &cobra.Command{
		Use:     "reload --proxy",
		Short:   "put a new proxy in the old one's place, losing no connection",
		GroupID: groupRun,
		Args:    cobra.NoArgs,
		Long: `Replace the proxy process of the balancer on this host in place. A new process gets
the same listening sockets, and serves once it sees as many backends up as the old
one; then the old one takes no new connections, ends each of those it has with its
next answer, and ends with the last of them, or after drain_time. No request fails,
and the VIP stays where it is.`,
		Example: "  tandem reload --proxy",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !proxy {
				return usage("say what to reload: --proxy")
			}
			done, err := api.NewClient(look.socket).ReplaceProxy(cmd.Context())
			if err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), done.Message)
			return err
		},
	}
	look.add(cmd)
	cmd.Flags().BoolVar(&proxy, "proxy", false, "replace the proxy process")
	return cmd
}
