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
	"github.com/tandem-lb/tandem/internal/paint"
)

// timelineInterval is how often timeline --watch asks for what is new.
const timelineInterval = 500 * time.Millisecond

var timelineKinds = []string{"state", "member", "backend", "order", "process", "reload", "served"}

func newTimeline() *cobra.Command {
	var (
		look         lookFlags
		since, until string
		watch        bool
		query        api.TimelineQuery
	)
	cmd := &cobra.Command{
		Use:     "timeline",
		Short:   "show what happened on all balancers, and why",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Show what happened on all balancers, or on --node alone, oldest first: changes of state
with their reason and how long each phase took, members that came and went, backends that
went up and down, processes that were replaced or ended, and what operators ordered.

Any balancer can be asked: it asks the others. First it says who has told how much; of one
that is dead, what it said last stands here. Times are by the clock of the balancer that
answers, where another's is known to differ; durations are always by one clock alone. What
happened on two nodes closer together than their clocks are known may stand in the wrong
order.

It survives restarts where the balancer has a state directory (--state), and else begins
with its control process.`,
		Example: `  tandem timeline --since 12h --kind state,order
  tandem timeline --since "2026-11-22 22:00" --until "2026-11-23 06:00"
  tandem timeline --watch --node lb2`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range query.Kinds {
				if !slices.Contains(timelineKinds, k) {
					return usage("--kind %q: want %s", k, strings.Join(timelineKinds, ", "))
				}
			}
			var err error
			if query.Since, err = momentFlag("since", since, time.Now()); err != nil {
				return err
			}
			if query.Until, err = momentFlag("until", until, time.Now()); err != nil {
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
	f.StringVar(&until, "until", "", "only what is older, likewise")
	f.StringVar(&query.Node, "node", "", "only this balancer's part (default all)")
	f.StringSliceVar(&query.Kinds, "kind", nil, "only these kinds: "+strings.Join(timelineKinds, ", "))
	f.StringVar(&query.Group, "group", "", "only this VIP group, or pool")
	f.IntVar(&query.Limit, "last", 0, "only the newest so many (default all)")
	f.BoolVar(&watch, "watch", false, "go on with what happens, until interrupted; with --json an entry a line")
	cmd.MarkFlagsMutuallyExclusive("until", "watch")
	completeFlag(cmd, "kind", func(api.Status) []string { return timelineKinds })
	completeFlag(cmd, "group", groupNames)
	completeFlag(cmd, "node", peerNames)
	return cmd
}

// momentFlag reads a time, or how long ago it was; empty: none.
func momentFlag(flag, s string, now time.Time) (time.Time, error) {
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
	return time.Time{}, usage("--%s %q: want a duration such as 15m, or a time such as 2026-11-22T23:00:00Z", flag, s)
}

// showTimeline prints what is there and, with watch, what comes, one JSON object a line.
func showTimeline(ctx context.Context, w io.Writer, c *api.Client, q api.TimelineQuery, asJSON, watch bool) error {
	said := "" // of who has told
	q.After = make(map[string]uint64)
	for {
		t, err := c.Timeline(ctx, q)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case asJSON && !watch:
			return printJSON(w, t)
		}
		if now := tellers(t); now != said && !asJSON {
			fmt.Fprintf(w, "%s\n", now)
			said = now
		}
		q.Limit = 0
		for _, e := range t.Entries {
			q.After[e.Node] = max(q.After[e.Node], e.Seq)
			if !asJSON {
				fmt.Fprintln(w, entryLine(paint.To(w), e))
			} else if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
		}
		if !watch {
			if len(t.Entries) == 0 {
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

// tellers says whose entries these are, and how old, a line for each balancer.
func tellers(t api.Timeline) string {
	b := new(strings.Builder)
	for _, n := range t.Nodes {
		b.WriteString(n.Node)
		switch {
		case n.Node == t.Node:
			b.WriteString(" answers")
		case n.Error == "":
			fmt.Fprintf(b, " told %s just now; %s", t.Node, clockOf(n.ClockOffset, n.ClockExact))
		case n.Age > 0:
			fmt.Fprintf(b, " does not tell (%s): from it is what it said last, %v ago", n.Error, n.Age.Round(time.Second/10))
		default:
			fmt.Fprintf(b, " does not tell (%s)", n.Error)
		}
		if n.Cut {
			b.WriteString("; older entries are left out")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// clockOf compares a clock with that of the balancer that answers.
func clockOf(offset, exact time.Duration) string {
	if offset.Abs() <= exact {
		return fmt.Sprintf("its clock is the same, to %v", short(exact))
	}
	return fmt.Sprintf("its clock is %v %s (±%v)", short(offset.Abs()), either(offset > 0, "ahead", "behind"), short(exact))
}

// entryLine is one entry for people.
func entryLine(ink paint.Ink, e api.Entry) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%s  %s  %-7s  ", ink.Dim(e.Time.Local().Format("2006-01-02 15:04:05.000")), e.Node, e.Kind)
	switch e.Kind {
	case "state":
		fmt.Fprintf(b, "%s: %s → %s (%s), epoch %d", e.Group, state(ink, e.From), state(ink, e.To), strings.TrimSpace(e.Reason+" "+e.Peer), e.Epoch)
		if e.Detail != "" {
			fmt.Fprintf(b, "; %s", e.Detail)
		}
		if p := e.Phases; p != nil {
			b.WriteString(phases(p))
		}
		return b.String()
	case "served":
		fmt.Fprintf(b, "%s: the first request was served%s", e.Group, served(e))
		return b.String()
	case "order":
		fmt.Fprintf(b, "%s by %s: %s", e.Subject, e.Who, state(ink, e.To))
	case "backend":
		fmt.Fprintf(b, "%s in %s: %s", e.Subject, e.Group, change(ink, e))
	default:
		fmt.Fprintf(b, "%s: %s", e.Subject, change(ink, e))
	}
	if e.Detail != "" {
		fmt.Fprintf(b, " (%s)", e.Detail)
	}
	return b.String()
}

// served says after how long.
func served(e api.Entry) string {
	if e.Phases == nil {
		return ""
	}
	return fmt.Sprintf(" %v after the VIP was on the interface, epoch %d", short(e.Phases.Serve), e.Epoch)
}

// phases are those that were measured.
func phases(p *api.Phases) string {
	var words []string
	for _, phase := range []struct {
		name string
		took time.Duration
	}{{"detect", p.Detect}, {"decide", p.Decide}, {"claim", p.Claim}, {"announce", p.Announce}} {
		if phase.took > 0 {
			words = append(words, fmt.Sprintf("%s %v", phase.name, short(phase.took)))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "; " + strings.Join(words, ", ")
}

func change(ink paint.Ink, e api.Entry) string {
	if e.From == "" {
		return state(ink, e.To)
	}
	return state(ink, e.From) + " → " + state(ink, e.To)
}

func short(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
