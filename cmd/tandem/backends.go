package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

func newBackends() *cobra.Command {
	var (
		look lookFlags
		node string
		more again
	)
	cmd := &cobra.Command{
		Use:     "backends [POOL…]",
		Short:   "show every backend, and why one gets no requests",
		GroupID: groupLook,
		Long: `Show the backends of all pools, or of those that are named: their state as all balancers
see it, or --node alone, what they carry, and why one gets no requests; and what pools have
refused: retries for which the budget was spent, ejections of outliers. Below stand the apps
that are in no pool at all: of members that are gone, whose check fails, or that the pool
does not take. 'tandem why BACKEND' tells more of one.`,
		Example: `  tandem backends
  tandem backends web --node lb2
  tandem backends --watch
  tandem backends --json | jq '.backends[] | select(.why)'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := api.NewClient(look.socket)
			return more.run(cmd, look.json, func(ctx context.Context, w io.Writer) error {
				return showBackends(ctx, w, client, node, args, look.json)
			})
		},
	}
	look.add(cmd)
	nodeFlag(cmd, &node)
	more.add(cmd)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return namesFromCluster(cmd, func(s api.Status) (names []string) {
			for _, p := range s.Pools {
				names = append(names, p.Name)
			}
			return names
		})
	}
	return cmd
}

func showBackends(ctx context.Context, w io.Writer, client *api.Client, node string, pools []string, asJSON bool) error {
	c, err := client.Cluster(ctx)
	if err != nil {
		return err
	}
	if c, err = only(c, node); err != nil {
		return err
	}
	b := backendsOf(c)
	if err := b.keep(pools); err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, b)
	}
	return b.print(w, c)
}

// nodeFlag lets one balancer's view be chosen in place of all.
func nodeFlag(cmd *cobra.Command, node *string) {
	cmd.Flags().StringVar(node, "node", "", "what this balancer alone sees and carries (default all)")
	completeFlag(cmd, "node", peerNames)
}

// only leaves one balancer in what is known of all, unless node is empty.
func only(c api.Cluster, node string) (api.Cluster, error) {
	if node == "" {
		return c, nil
	}
	v, err := pick(c, node)
	c.Nodes = []api.NodeView{v}
	return c, err
}

// backendList is what 'tandem backends' prints.
type backendList struct {
	Node     string        `json:"node"` // that answers
	At       time.Time     `json:"at"`
	Backends []backendRow  `json:"backends"`
	Pools    []poolRow     `json:"pools"`
	Outside  []api.Outside `json:"outside"`
	pools    []string
}

// backendRow is one backend as the balancers see it.
type backendRow struct {
	Pool     string            `json:"pool"`
	Backend  string            `json:"backend"`
	Addr     string            `json:"addr"`
	State    string            `json:"state"`   // of all; else who sees what
	SeenBy   map[string]string `json:"seen_by"` // its state, by balancer
	Weight   int               `json:"weight"`
	Requests float64           `json:"requests_per_s"`
	Errors   float64           `json:"errors_per_s"`
	Current  int64             `json:"current"`
	Why      string            `json:"why,omitempty"` // it gets no requests, or none from some balancer
}

// poolRow is what all balancers that are heard of have kept from the backends of a pool, so far.
type poolRow struct {
	Pool             string `json:"pool"`
	RetriesRefused   uint64 `json:"retries_refused"`   // since the retry budget was spent
	Ejections        uint64 `json:"ejections"`         // of outliers
	EjectionsRefused uint64 `json:"ejections_refused"` // since too many were ejected already
}

// String says it for people; "" if there is nothing to say.
func (r poolRow) String() string {
	var parts []string
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{r.RetriesRefused, "retries refused (the budget was spent)"},
		{r.Ejections, "outliers ejected"},
		{r.EjectionsRefused, "ejections refused (too many were out)"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprint(c.n, " ", c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// poolRows adds up what the balancers say of their pools.
func poolRows(c api.Cluster) []poolRow {
	out := []poolRow{}
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, p := range v.Status.Pools {
			i := slices.IndexFunc(out, func(r poolRow) bool { return r.Pool == p.Name })
			if i < 0 {
				i, out = len(out), append(out, poolRow{Pool: p.Name})
			}
			out[i].RetriesRefused += p.RetriesRefused
			out[i].EjectionsRefused += p.EjectionsRefused
			for _, b := range p.Backends {
				out[i].Ejections += b.Ejections
			}
		}
	}
	return out
}

// backendsOf puts together what all balancers that are heard of say.
func backendsOf(c api.Cluster) (out backendList) {
	out = backendList{Node: c.Node, At: c.At, Backends: []backendRow{}, Pools: poolRows(c), Outside: []api.Outside{}}
	_, pools := topRows(c)
	for _, p := range pools {
		out.pools = append(out.pools, p.Name)
		for _, b := range p.children {
			row := backendRow{
				Pool: p.Name, Backend: strings.TrimPrefix(b.Name, "static "), Addr: b.addr, State: b.State, SeenBy: map[string]string{}, Weight: b.weight,
				Requests: b.Live.Requests, Errors: b.Live.Errors, Current: b.Current, Why: b.why,
			}
			for _, s := range b.seen {
				row.SeenBy[s.node] = s.state
			}
			out.Backends = append(out.Backends, row)
		}
	}
	for _, v := range c.Nodes {
		if v.Status != nil && (v.Node == c.Node || len(c.Nodes) == 1) {
			for _, o := range v.Status.Outside {
				if !slices.ContainsFunc(out.Backends, func(b backendRow) bool { return b.Pool == o.Pool && b.Backend == o.App }) {
					out.Outside = append(out.Outside, o)
				}
			}
		}
	}
	return out
}

// keep leaves the backends of these pools, if any is named.
func (l *backendList) keep(pools []string) error {
	if len(pools) == 0 {
		return nil
	}
	for _, name := range pools {
		if !slices.Contains(l.pools, name) {
			return fmt.Errorf("there is no pool %q; there are: %s ('tandem why %s' looks for a backend of that name)", name, strings.Join(l.pools, ", "), name)
		}
	}
	l.Backends = slices.DeleteFunc(l.Backends, func(b backendRow) bool { return !slices.Contains(pools, b.Pool) })
	l.Pools = slices.DeleteFunc(l.Pools, func(p poolRow) bool { return !slices.Contains(pools, p.Pool) })
	l.Outside = slices.DeleteFunc(l.Outside, func(o api.Outside) bool { return !slices.Contains(pools, o.Pool) })
	return nil
}

func (l *backendList) print(w io.Writer, c api.Cluster) error {
	printSources(w, c)
	fmt.Fprintln(w)
	t := newTable(w, "POOL", "BACKEND", "ADDRESS", "STATE", "WEIGHT", "REQ/S", "ERR/S", "NOW", "WHY NO REQUESTS")
	for _, b := range l.Backends {
		t.row(b.Pool, b.Backend, b.Addr, state(t.ink, b.State), fmt.Sprint(b.Weight), perSecond(b.Requests), errorRate(t.ink, b.Errors), fmt.Sprint(b.Current), b.Why)
	}
	err := t.flush()
	printRefused(w, l.Pools)
	return errors.Join(err, printOutside(w, l.Outside))
}

// printRefused tells of pools that have kept something from their backends.
func printRefused(w io.Writer, pools []poolRow) {
	gap := "\n"
	for _, p := range pools {
		if what := p.String(); what != "" {
			fmt.Fprintf(w, "%s%s: %s\n", gap, paint.To(w).Bold(p.Pool), what)
			gap = ""
		}
	}
}

// printOutside lists the apps that no pool has; nothing where there are none.
func printOutside(w io.Writer, outside []api.Outside) error {
	if len(outside) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\n"+paint.To(w).Yellow("in no pool:"))
	t := newTable(w, "POOL", "APP", "ADDRESS", "WHY")
	for _, o := range outside {
		addr := ""
		if o.Addr.IsValid() {
			addr = o.Addr.String()
		}
		t.row(o.Pool, o.App, addr, o.Why)
	}
	return t.flush()
}
