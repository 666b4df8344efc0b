package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newRelease() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:     "release [VIP…]",
		Short:   "clear this host of what a killed balancer left behind",
		GroupID: groupSetup,
		Long: `Remove the nftables tables that keep this host's kernel silent about VIPs, and the
VIPs named, if a balancer that was killed has left them on an interface.

A balancer that is stopped in good order leaves nothing. One that was killed leaves
the host silent, so that it does not own a VIP that another has taken; the next
'tandem lb' takes that over. Use this when none will run here any more: whatever
holds the VIP next on this host could not answer for it.`,
		Example: "  tandem release 192.168.42.42",
		RunE: func(cmd *cobra.Command, args []string) error {
			var vips []netip.Addr
			for _, a := range args {
				vip, err := netip.ParseAddr(a)
				if err != nil {
					return usage("%q is not an address: %w", a, err)
				}
				vips = append(vips, vip)
			}
			did, err := releaseAll(cmd.Context(), socket, vips)
			for _, line := range did {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if err == nil && len(did) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing was left behind")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&socket, "socket", api.DefaultSocket, "admin socket of the balancer that must not be running")
	return cmd
}
