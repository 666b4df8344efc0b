package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

// completeTime bounds what a shell waits for names from the cluster.
const completeTime = 2 * time.Second

const backendHelp = `

BACKEND is its name or its address as in 'tandem status'; where that is in two pools,
POOL/BACKEND. All balancers do the same, also one that comes later, so a failover undoes
nothing; it stays until it is undone, also over restarts where there is a state
directory, and 'tandem status' shows who said it and when.`

func newDrain() *cobra.Command {
	return stateCommand("drain", "give a backend no new requests",
		"Let the requests of a backend that are under way come to their end, and give it no new\nones. It is still checked. 'tandem ready' undoes it.")
}

func backendMaint() *cobra.Command {
	return stateCommand("maint", "take a backend, or this balancer itself (on, off), out of service",
		"Give a backend no new requests, let those under way come to their end, and do not check\nit any more. 'tandem ready' undoes it; then it is checked first. 'tandem maint on' and\n'off' are about this balancer itself.")
}

func newReady() *cobra.Command {
	return stateCommand("ready", "undo drain and maint of a backend",
		"Give a backend requests again as soon as it is up. A weight set by hand stays.")
}

// stateCommand sets a state of the backends that are named.
func stateCommand(state, short, long string) *cobra.Command {
	return backendCommand(&cobra.Command{
		Use:     state + " BACKEND…",
		Short:   short,
		Args:    cobra.MinimumNArgs(1),
		Long:    long + backendHelp,
		Example: fmt.Sprintf("  tandem %s web1\n  tandem %s web/10.0.0.21:3000", state, state),
	}, func(ctx context.Context, c *api.Client, args []string) (api.Done, error) {
		var did []string
		for _, name := range args {
			done, err := c.SetBackend(ctx, api.BackendOrder{Backend: name, State: state})
			if err != nil {
				if len(did) > 0 {
					err = fmt.Errorf("%w (before that: %s)", err, strings.Join(did, "; "))
				}
				return api.Done{}, err
			}
			did = append(did, done.Message)
		}
		return api.Done{Message: strings.Join(did, "\n")}, nil
	})
}

func newWeight() *cobra.Command {
	return backendCommand(&cobra.Command{
		Use:   "weight BACKEND WEIGHT|own",
		Short: "change a backend's share of the requests",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(2)(cmd, args); err != nil {
				return err
			}
			_, err := parseWeight(args[1])
			return err
		},
		Long:    "Give a backend a share of the requests in proportion to its weight, 1 to 256, where\nothers have 100 unless they say something else; \"own\" gives it back what it says itself." + backendHelp,
		Example: "  tandem weight web1 50\n  tandem weight web1 own",
	}, func(ctx context.Context, c *api.Client, args []string) (api.Done, error) {
		n, err := parseWeight(args[1])
		if err != nil {
			return api.Done{}, err
		}
		return c.SetBackend(ctx, api.BackendOrder{Backend: args[0], Weight: &n})
	})
}

func parseWeight(s string) (int, error) {
	if s == "own" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 256 {
		return 0, usage("weight %q: want 1 to 256, or own", s)
	}
	return n, nil
}

// backendCommand completes a command about backends.
func backendCommand(cmd *cobra.Command, order func(context.Context, *api.Client, []string) (api.Done, error)) *cobra.Command {
	cmd.GroupID = groupSteer
	cmd = doneCommand(cmd, order)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && strings.HasPrefix(cmd.Use, "weight") {
			return []string{"own"}, cobra.ShellCompDirectiveNoFileComp
		}
		return namesFromCluster(cmd, backendNames)
	}
	return cmd
}

func backendNames(s api.Status) (names []string) {
	for _, p := range s.Pools {
		for _, b := range p.Backends {
			names = append(names, cobra.CompletionWithDesc(strings.TrimPrefix(b.ID, "static "), b.State+", pool "+p.Name))
		}
	}
	return names
}

// namesFromCluster completes an argument from what the balancer knows; without one there is
// nothing to complete, and that is no error.
func namesFromCluster(cmd *cobra.Command, of func(api.Status) []string) ([]string, cobra.ShellCompDirective) {
	socket, err := cmd.Flags().GetString("socket")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	s, err := api.NewClient(socket).Status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return of(s), cobra.ShellCompDirectiveNoFileComp
}

// completeFlag completes the value of a flag from what the balancer knows.
func completeFlag(cmd *cobra.Command, flag string, of func(api.Status) []string) {
	cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return namesFromCluster(cmd, of)
	})
}

func peerNames(s api.Status) (names []string) {
	for _, m := range s.Members {
		if m.Role == "balancer" {
			names = append(names, cobra.CompletionWithDesc(m.Name, m.State))
		}
	}
	return names
}

func groupNames(s api.Status) (names []string) {
	for _, g := range s.Groups {
		names = append(names, cobra.CompletionWithDesc(g.Name, g.State))
	}
	return names
}
