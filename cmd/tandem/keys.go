package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/config"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "show and rotate the gossip keys of the whole cluster",
		GroupID: groupSetup,
		Long: `Put another gossip key in place while the cluster runs. Ask any balancer; it asks every
member that is there. The order is always the same:

  tandem keygen new.key         make one
  tandem keys add new.key       every member accepts it, beside the old one
  tandem keys use FINGERPRINT   every member encrypts with it
  tandem keys remove OLD        no member accepts the old one any more

A step that would cut a member off is refused, and says which. A member that is away
meanwhile cannot come back with the old key: copy the new key file to all machines
before the last step. Keys are named by fingerprints and never shown.

A balancer keeps its keys in state_dir, an agent with --keyring; others have those of
their key file after a restart (KEPT says no). A key file with other keys than before
counts more than what was kept.`,
		Example: "  tandem keys list\n  tandem keys add new.key",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return usage("say what to do: list, add, use or remove") },
	}
	list := keysCommand("list", "show who holds which keys", cobra.NoArgs,
		func([]string) ([]api.KeyOrder, error) { return []api.KeyOrder{{Do: "list"}}, nil })
	add := keysCommand("add FILE", "have every member accept the keys of a file, too", cobra.ExactArgs(1), func(args []string) ([]api.KeyOrder, error) {
		keys, err := config.ReadKeys("FILE", args[0])
		var orders []api.KeyOrder
		for _, k := range keys {
			orders = append(orders, api.KeyOrder{Do: "add", Key: k})
		}
		return orders, err
	})
	named := func(do string) func([]string) ([]api.KeyOrder, error) {
		return func(args []string) ([]api.KeyOrder, error) {
			return []api.KeyOrder{{Do: do, Fingerprint: args[0]}}, nil
		}
	}
	cmd.AddCommand(list, add,
		keysCommand("use FINGERPRINT", "have every member encrypt with a key that all hold", cobra.ExactArgs(1), named("use")),
		keysCommand("remove FINGERPRINT", "have no member accept a key any more", cobra.ExactArgs(1), named("remove")))
	return cmd
}

// keysCommand makes a command that gives orders and prints what the last one led to.
func keysCommand(use, short string, args cobra.PositionalArgs, orders func([]string) ([]api.KeyOrder, error)) *cobra.Command {
	var look lookFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		Long:    "This is a step of the order that 'tandem keys --help' explains: " + short + ". It\nreaches every member that is there, and prints who holds what after it.",
		Example: "  tandem keys " + strings.NewReplacer("FILE", "new.key", "FINGERPRINT", "0b6c5a8d1e2f3a4b").Replace(use),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := orders(args)
			if err != nil {
				return err
			}
			var k api.Keys
			var added []string
			for _, o := range list {
				if k, err = api.NewClient(look.socket).Keys(cmd.Context(), o); err != nil {
					return err
				}
				if k.Added != "" {
					added = append(added, k.Added)
				}
				if k.Error != "" {
					break
				}
			}
			if look.json {
				err = printJSON(cmd.OutOrStdout(), k)
			} else {
				err = printKeys(cmd.OutOrStdout(), k, added)
			}
			if err == nil && k.Error != "" {
				err = errors.New(k.Error)
			}
			return err
		},
	}
	look.add(cmd)
	return cmd
}

func printKeys(w io.Writer, k api.Keys, added []string) error {
	for _, f := range added {
		fmt.Fprintf(w, "added %s\n", f)
	}
	t := newTable(w, "MEMBER", "ADDRESS", "ENCRYPTS WITH", "ACCEPTS TOO", "KEPT", "NOTE")
	for _, h := range k.Holders {
		using, others := "", ""
		if len(h.Keys) > 0 {
			using, others = h.Keys[0], strings.Join(h.Keys[1:], " ")
		}
		kept := either(h.Kept, "yes", "no")
		if len(h.Keys) == 0 {
			kept = ""
		}
		t.row(h.Name, h.Addr.String(), using, others, kept, h.Error)
	}
	for _, name := range k.Failed {
		t.row(name, "", "", "", "", "failed; not asked")
	}
	return t.flush()
}
