package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

// followInterval is how often logs --follow asks for what is new.
const followInterval = 500 * time.Millisecond

// maxAskedAtOnce bounds the agents that are asked at the same time.
const maxAskedAtOnce = 8

func newLogs() *cobra.Command {
	var (
		look   lookFlags
		follow bool
		query  api.LogQuery
	)
	cmd := &cobra.Command{
		Use:     "logs [NODE…]",
		Short:   "show what the apps have printed",
		GroupID: groupLook,
		Long: `Show the newest lines that the processes of agents have printed, by way of the balancer
on this host: those of the agents named, or of all. Each agent keeps the newest 256 KiB
(keep_bytes in its file). With --follow it goes on, until Ctrl-C.

An agent tells its log only if gossip is encrypted, and only to a balancer that proves
itself: the agent's gossip key file holds the public half of the balancer key (see
'tandem keygen --help'). So neither a stranger nor another app can read it.`,
		Example: `  tandem logs web1 --follow
  tandem logs --last 20 --process app`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if query.Last < 0 {
				return usage("--last %d: want 0 or more", query.Last)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			f := &follower{client: api.NewClient(look.socket), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(), json: look.json, first: query, at: map[string]api.LogQuery{}, failed: map[string]string{}}
			return f.run(ctx, args, follow)
		},
	}
	look.add(cmd)
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with what is printed, until interrupted")
	f.IntVar(&query.Last, "last", 100, "the newest so many lines of each agent, to begin with")
	f.StringVar(&query.Process, "process", "", "only of this process")
	return cmd
}

// nodeLine is one line of one agent, as --json prints it.
type nodeLine struct {
	Node string `json:"node"`
	api.LogLine
}

// follower reads the logs of agents.
type follower struct {
	client      *api.Client
	out, errOut io.Writer
	json        bool
	first       api.LogQuery
	at          map[string]api.LogQuery // what to ask each agent for next
	failed      map[string]string       // why those that did not answer have not, as was said
}

// run prints what there is and, with follow, what comes.
func (f *follower) run(ctx context.Context, nodes []string, follow bool) error {
	for {
		asked := nodes
		if len(nodes) == 0 {
			var err error
			if asked, err = f.agents(ctx); err != nil {
				return stopped(ctx, err)
			}
		}
		lines, more, err := f.round(ctx, asked)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, api.ErrUnreachable) {
			return err
		}
		for _, l := range lines {
			f.print(l)
		}
		if !follow && !more {
			return err
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followInterval):
		}
	}
}

func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// agents names all that are there.
func (f *follower) agents(ctx context.Context) ([]string, error) {
	members, err := f.client.Members(ctx, "")
	var names []string
	for _, m := range members {
		if m.Role == "agent" && (m.State == "alive" || m.State == "suspect") {
			names = append(names, m.Name)
		}
	}
	return names, err
}

// round asks each node once and returns the lines in the order of their time, and whether any has more at once. A node
// that does not answer has been complained of; then the error says no more than that.
func (f *follower) round(ctx context.Context, nodes []string) (lines []nodeLine, more bool, err error) {
	pages, errs := make([]api.LogPage, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxAskedAtOnce)
	for i, node := range nodes {
		q, known := f.at[node]
		if !known {
			q = f.first
			q.Node = node
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			pages[i], errs[i] = f.client.Logs(ctx, q)
		})
	}
	wg.Wait()
	for i, page := range pages {
		if errs[i] != nil {
			if errors.Is(errs[i], api.ErrUnreachable) {
				return nil, false, errs[i]
			}
			f.complain(ctx, nodes[i], errs[i])
			err = &exitError{code: exitFailed}
			continue
		}
		delete(f.failed, nodes[i])
		was, known := f.at[nodes[i]]
		if known && was.Run != page.Run {
			fmt.Fprintf(f.errOut, "tandem: the agent %s was started again\n", nodes[i])
		} else if known && page.Lost > 0 {
			fmt.Fprintf(f.errOut, "tandem: %d lines of %s are not kept any more\n", page.Lost, nodes[i])
		}
		f.at[nodes[i]] = api.LogQuery{Node: nodes[i], Run: page.Run, After: page.Next, Process: f.first.Process, Last: f.first.Last}
		more = more || page.More
		for _, l := range page.Lines {
			lines = append(lines, nodeLine{nodes[i], l})
		}
	}
	slices.SortStableFunc(lines, func(a, b nodeLine) int { return a.Time.Compare(b.Time) })
	return lines, more, err
}

// complain says once why a node does not answer.
func (f *follower) complain(ctx context.Context, node string, err error) {
	if ctx.Err() == nil && f.failed[node] != err.Error() {
		f.failed[node] = err.Error()
		fmt.Fprintf(f.errOut, "tandem: no log of %s: %v\n", node, err)
	}
}

func (f *follower) print(l nodeLine) {
	if f.json {
		_ = json.NewEncoder(f.out).Encode(l)
		return
	}
	mark := ""
	if l.Cut {
		mark = " …"
	}
	fmt.Fprintf(f.out, "%s %s/%s %s%s\n", l.Time.Local().Format("15:04:05.000"), l.Node, l.Process, plainText(l.Text), mark)
}

// colours are the escape sequences that logs are full of.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plainText leaves out what would change colours, and shows other controls as dots, so that a line of an app cannot
// play tricks on the operator's terminal.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '·'
		}
		return r
	}, colours.ReplaceAllString(s, ""))
}
