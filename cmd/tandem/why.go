package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

func newWhy() *cobra.Command {
	var (
		look lookFlags
		node string
	)
	cmd := &cobra.Command{
		Use:     "why [VIP|GROUP|BACKEND|POOL]",
		Short:   "tell why a balancer is active, or why a backend gets no requests",
		GroupID: groupLook,
		Args:    cobra.MaximumNArgs(1),
		Long: `Tell the last change of a VIP as a post-mortem: what happened, why, how sure that is, how
long each phase took, and what to look at next. Any balancer can be asked: it tells of the
whole cluster, or of --node alone. Durations are by the clock of the node that they are of.

With the name or address of a backend, of its member, its host or its pool it tells why it
gets no requests, how each balancer sees it, and what happened to it.`,
		Example: `  tandem why
  tandem why 192.168.42.42
  tandem why web1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := api.NewClient(look.socket).Why(cmd.Context(), strings.Join(args, ""), node)
			if err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), s)
			}
			printStory(cmd.OutOrStdout(), s)
			return nil
		},
	}
	look.add(cmd)
	cmd.Flags().StringVar(&node, "node", "", "the last change of this balancer alone (default of any)")
	completeFlag(cmd, "node", peerNames)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return namesFromCluster(cmd, func(s api.Status) []string { return append(groupNames(s), backendNames(s)...) })
	}
	return cmd
}

func printStory(w io.Writer, s api.Story) {
	ink := paint.To(w)
	fmt.Fprintf(w, "%s\n%s\n", ink.Bold(s.Headline+"."), s.Why)
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", ink.Bold(title+":"))
		for _, l := range lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	var events []string
	for _, e := range s.Events {
		events = append(events, entryLine(ink, e))
	}
	for _, n := range s.Nodes {
		if n.Error != "" {
			events = append(events, fmt.Sprintf("%s %s: %s", n.Node, ink.Yellow("does not tell its part"), n.Error))
		}
	}
	section("What happened", events)
	section("How sure that is", s.Sure)
	section("How long it took", s.Took)
	section("What to look at next", s.Next)
	if !s.Complete {
		fmt.Fprintln(w, "\nThe timeline of that node begins only shortly before: what led to it may be missing.")
	}
}
