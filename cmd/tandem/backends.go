package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

func newBackends() *cobra.Command {
	var (
		look lookFlags
		node string
	)
	cmd := &cobra.Command{
		Use:     "backends [POOL…]",
		Short:   "show every backend, and why one gets no requests",
		GroupID: groupLook,
		Long: `Show the backends of all pools, or of those that are named: their state as all balancers
see it, or --node alone, what they carry, and why one gets no requests. Below stand the apps
that are in no pool at all: of members that are gone, whose check fails, or that the pool
does not take. 'tandem why BACKEND' tells more of one.`,
		Example: `  tandem backends
  tandem backends web --node lb2
  tandem backends --json | jq '.backends[] | select(.why)'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := api.NewClient(look.socket).Cluster(cmd.Context())
			if err != nil {
				return err
			}
			if c, err = only(c, node); err != nil {
				return err
			}
			b := backendsOf(c)
			if err := b.keep(args); err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return b.print(cmd.OutOrStdout(), c)
		},
	}
	look.add(cmd)
	nodeFlag(cmd, &node)
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

// backendsOf puts together what all balancers that are heard of say.
func backendsOf(c api.Cluster) (out backendList) {
	out = backendList{Node: c.Node, At: c.At, Backends: []backendRow{}, Outside: []api.Outside{}}
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
	l.Outside = slices.DeleteFunc(l.Outside, func(o api.Outside) bool { return !slices.Contains(pools, o.Pool) })
	return nil
}

func (l *backendList) print(w io.Writer, c api.Cluster) error {
	printSources(w, c)
	fmt.Fprintln(w)
	t := newTable(w, "POOL", "BACKEND", "ADDRESS", "STATE", "WEIGHT", "REQ/S", "ERR/S", "NOW", "WHY NO REQUESTS")
	for _, b := range l.Backends {
		t.row(b.Pool, b.Backend, b.Addr, b.State, fmt.Sprint(b.Weight), perSecond(b.Requests), perSecond(b.Errors), fmt.Sprint(b.Current), b.Why)
	}
	return errors.Join(t.flush(), printOutside(w, l.Outside))
}

// printOutside lists the apps that no pool has; nothing where there are none.
func printOutside(w io.Writer, outside []api.Outside) error {
	if len(outside) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nin no pool:")
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
