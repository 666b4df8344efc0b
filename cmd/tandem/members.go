package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// watchInterval is how often a balancer is asked for news.
const watchInterval = 250 * time.Millisecond

func newMembers() *cobra.Command {
	var (
		look  lookFlags
		watch bool
		node  string
	)
	cmd := &cobra.Command{
		Use:     "members",
		Short:   "show the members of the cluster",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Show the members as the balancer on this host sees them, or the one called --node; and below
them the apps that are in no pool, with the reason. With --watch it is a line for each member
now, and then one for each change, until Ctrl-C; with --json each such line is an object.`,
		Example: "  tandem members\n  tandem members --watch --json\n  tandem members --node lb2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := api.NewClient(look.socket)
			if watch {
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
				defer stop()
				return watchMembers(ctx, cmd.OutOrStdout(), client, node, look.json)
			}
			m, err := client.Members(cmd.Context(), node)
			if err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), m)
			}
			if node != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "As %s sees them, asked just now:\n\n", node)
			}
			c, err := client.Cluster(cmd.Context())
			if err != nil {
				return err
			}
			if err := printMembers(cmd.OutOrStdout(), m, time.Now()); err != nil {
				return err
			}
			if v, err := pick(c, node); err == nil { // else it has not told which pools it has
				return printOutside(cmd.OutOrStdout(), v.Status.Outside)
			}
			return nil
		},
	}
	look.add(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, and print each change")
	cmd.Flags().StringVar(&node, "node", "", "as this balancer sees them (default the one that answers)")
	completeFlag(cmd, "node", peerNames)
	return cmd
}

// watchMembers prints what changes until ctx ends, which is no error. A balancer that is not
// there any more is one.
func watchMembers(ctx context.Context, w io.Writer, client *api.Client, node string, asJSON bool) error {
	var before []api.Member
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		now, err := client.Members(ctx, node)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, c := range changes(before, now) {
			if err := c.print(w, asJSON); err != nil {
				return err
			}
		}
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// memberChange is one line of members --watch.
type memberChange struct {
	At     time.Time  `json:"at"`
	Change string     `json:"change"` // alive, suspect, failed or left; update; or forgotten
	Member api.Member `json:"member"`
}

// changes compares two lists that are sorted by name. A member that was not there before is
// a change to its state.
func changes(before, now []api.Member) []memberChange {
	old := make(map[string]api.Member, len(before))
	for _, m := range before {
		old[m.Name] = m
	}
	var all []memberChange
	at := time.Now()
	for _, m := range now {
		was, known := old[m.Name]
		delete(old, m.Name)
		switch {
		case !known || was.State != m.State:
			all = append(all, memberChange{at, m.State, m})
		case !reflect.DeepEqual(was, m):
			all = append(all, memberChange{at, "update", m})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		all = append(all, memberChange{at, "forgotten", old[name]})
	}
	return all
}

func (c memberChange) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(c)
	}
	m := c.Member
	words := []string{c.At.Format("15:04:05.000"), state(paint.To(w), c.Change), m.Name, m.Role, m.Addr.String()}
	for _, a := range m.Apps {
		words = append(words, "pool", a.Pool, "app", appOf(a))
	}
	if t := tagsOf(m); t != "" {
		words = append(words, t)
	}
	_, err := fmt.Fprintln(w, strings.Join(words, " "))
	return err
}

func printMembers(w io.Writer, members []api.Member, now time.Time) error {
	t := newTable(w, "MEMBER", "ROLE", "STATE", "ADDRESS", "POOL", "APP", "SINCE", "TAGS")
	for _, m := range members {
		var pools, apps []string
		for _, a := range m.Apps {
			pools, apps = append(pools, a.Pool), append(apps, appOf(a))
		}
		t.row(m.Name, m.Role, state(t.ink, m.State), m.Addr.String(), strings.Join(pools, ","), strings.Join(apps, ","), ago(now, m.Since), tagsOf(m))
	}
	return t.flush()
}

// appOf is where an app listens, and whether it drains.
func appOf(a api.App) string {
	switch {
	case !a.Addr.IsValid():
		return "none"
	case a.Drain:
		return a.Addr.String() + " (drain)"
	}
	return a.Addr.String()
}

// tagsOf writes a member's tags as they are given to the agent.
func tagsOf(m api.Member) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		all = append(all, k+"="+m.Tags[k])
	}
	return strings.Join(all, ",")
}
