package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

// timelineInterval is how often timeline --watch asks for what is new.
const timelineInterval = 500 * time.Millisecond

var timelineKinds = []string{"state", "member", "backend", "order", "process", "reload"}

func newTimeline() *cobra.Command {
	var (
		look  lookFlags
		since string
		watch bool
		query api.TimelineQuery
	)
	cmd := &cobra.Command{
		Use:     "timeline",
		Short:   "show what happened on this balancer, and why",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Show what happened on the balancer of this host, oldest first: changes of state with
their reason and how long each phase took, members that came and went, backends that
went up and down, processes that were replaced or ended, and what operators ordered.

It survives restarts where the balancer has a state directory (--state), and else
begins with the control process. Each balancer tells its own part: ask both.`,
		Example: `  tandem timeline --since 1h
  tandem timeline --kind state,order --watch`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range query.Kinds {
				if !slices.Contains(timelineKinds, k) {
					return usage("--kind %q: want %s", k, strings.Join(timelineKinds, ", "))
				}
			}
			var err error
			if query.Since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return showTimeline(ctx, cmd.OutOrStdout(), api.NewClient(look.socket), query, look.json, watch)
		},
	}
	look.add(cmd)
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only what is newer: 15m, 24h, or a time such as 2026-11-22T23:00:00Z")
	f.StringSliceVar(&query.Kinds, "kind", nil, "only these kinds: "+strings.Join(timelineKinds, ", "))
	f.StringVar(&query.Group, "group", "", "only this VIP group, or pool")
	f.IntVar(&query.Limit, "last", 0, "only the newest so many (default all)")
	f.BoolVar(&watch, "watch", false, "go on with what happens, until interrupted")
	completeFlag(cmd, "kind", func(api.Status) []string { return timelineKinds })
	completeFlag(cmd, "group", groupNames)
	return cmd
}

func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--since %q: want a duration such as 15m, or a time such as 2026-11-22T23:00:00Z", s)
}

// showTimeline prints what is there and, with watch, what comes, one JSON object a line.
func showTimeline(ctx context.Context, w io.Writer, c *api.Client, q api.TimelineQuery, asJSON, watch bool) error {
	for {
		entries, err := c.Timeline(ctx, q)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case asJSON && !watch:
			return printJSON(w, entries)
		}
		for _, e := range entries {
			q.After, q.Limit = max(q.After, e.Seq), 0
			if !asJSON {
				fmt.Fprintln(w, entryLine(e))
			} else if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
		}
		if !watch {
			if len(entries) == 0 {
				fmt.Fprintln(w, "nothing is known to have happened")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(timelineInterval):
		}
	}
}

// entryLine is one entry for people.
func entryLine(e api.Entry) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%s  %-7s  ", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Kind)
	switch e.Kind {
	case "state":
		fmt.Fprintf(b, "%s: %s → %s (%s), epoch %d", e.Group, e.From, e.To, strings.TrimSpace(e.Reason+" "+e.Peer), e.Epoch)
		if e.Detail != "" {
			fmt.Fprintf(b, "; %s", e.Detail)
		}
		if p := e.Phases; p != nil {
			fmt.Fprintf(b, "; detect %v, decide %v, claim %v, announce %v", short(p.Detect), short(p.Decide), short(p.Claim), short(p.Announce))
		}
		return b.String()
	case "order":
		fmt.Fprintf(b, "%s by %s: %s", e.Subject, e.Who, e.To)
	case "backend":
		fmt.Fprintf(b, "%s in %s: %s", e.Subject, e.Group, change(e))
	default:
		fmt.Fprintf(b, "%s: %s", e.Subject, change(e))
	}
	if e.Detail != "" {
		fmt.Fprintf(b, " (%s)", e.Detail)
	}
	return b.String()
}

func change(e api.Entry) string {
	if e.From == "" {
		return e.To
	}
	return e.From + " → " + e.To
}

func short(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

func newWhy() *cobra.Command {
	var look lookFlags
	cmd := &cobra.Command{
		Use:     "why [VIP|GROUP]",
		Short:   "tell why this balancer is, or is no longer, the active one",
		GroupID: groupLook,
		Args:    cobra.MaximumNArgs(1),
		Long: `Tell the last change of a VIP on the balancer of this host as a post-mortem: what
happened, why, how sure that is, how long each phase took, and what to look at next.
Durations are by this node's own clock.`,
		Example: `  tandem why
  tandem why 192.168.42.42`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := api.NewClient(look.socket).Why(cmd.Context(), strings.Join(args, ""))
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
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return namesFromCluster(cmd, groupNames)
	}
	return cmd
}

func printStory(w io.Writer, s api.Story) {
	fmt.Fprintf(w, "%s.\n%s\n", s.Headline, s.Why)
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s:\n", title)
		for _, l := range lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	var events []string
	for _, e := range s.Events {
		events = append(events, entryLine(e))
	}
	section("What happened", events)
	section("How sure that is", s.Sure)
	section("How long it took", s.Took)
	section("What to look at next", s.Next)
	if !s.Complete {
		fmt.Fprintln(w, "\nThe timeline of this node begins only shortly before: what led to it may be missing.")
	}
}
