package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
)

// allNodes stands for every balancer.
const allNodes = "all"

func newReload() *cobra.Command {
	var (
		look       lookFlags
		proxy, dry bool
		node       string
	)
	cmd := &cobra.Command{
		Use:     "reload",
		Short:   "bring the changed configuration into effect, losing no request",
		GroupID: groupSteer,
		Args:    cobra.NoArgs,
		Long: `Have the balancer on this host, or --node, load its configuration file and key files
again, as SIGHUP does. All of it takes effect or nothing: an error in the file, an address
that is taken, or a key that cannot change while the balancer runs (each is named) leaves
everything as it was. Backends that stay keep their state and counters; new ones are
checked before they get requests; connections go on.

With --node all it is every balancer, one after the other. Each is asked first what would
change; where one refuses, none reloads. 'tandem status' says when their configurations
differ.` + otherNodeHelp + `

With --proxy the configuration stays, and a new proxy process takes the place of the
one that serves. It gets the same listening sockets, and serves once it sees as many
backends up; then the old one takes no new connections, ends each of those it has with
its next answer, and ends with the last of them, or after drain_time.`,
		Example: `  tandem reload --dry-run
  tandem reload
  tandem reload --node all
  tandem reload --proxy`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := reloading{client: api.NewClient(look.socket), out: cmd.OutOrStdout(), json: look.json, dry: dry, proxy: proxy}
			if node == allNodes {
				return r.all(cmd.Context())
			}
			a, err := r.ask(cmd.Context(), node, dry)
			if err != nil {
				return err
			}
			return r.print(a)
		},
	}
	look.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
	cmd.Flags().BoolVar(&proxy, "proxy", false, "replace the proxy process, and leave the configuration")
	orderedNodeFlag(cmd, &node, "the balancer, or all of them (default the one that answers)")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "proxy")
	return cmd
}

// reloading is one 'tandem reload'.
type reloading struct {
	client     *api.Client
	out        io.Writer
	json       bool
	dry, proxy bool
}

// ask asks one balancer.
func (r reloading) ask(ctx context.Context, node string, dry bool) (api.Reload, error) {
	if r.proxy {
		done, err := r.client.ReplaceProxy(ctx, node)
		return api.Reload{Message: done.Message, Changes: []api.Change{}}, err
	}
	return r.client.Reload(ctx, node, dry)
}

func (r reloading) print(a api.Reload) error {
	switch {
	case r.json && r.proxy:
		return printJSON(r.out, api.Done{Message: a.Message})
	case r.json:
		return printJSON(r.out, a)
	}
	for _, c := range a.Changes {
		fmt.Fprintln(r.out, c.Text)
	}
	_, err := fmt.Fprintln(r.out, a.Message)
	return err
}

// nodeReload is what one balancer has answered.
type nodeReload struct {
	Node  string `json:"node"`
	Error string `json:"error,omitempty"`
	*api.Reload
}

// all asks every balancer in turn, and says what each has answered.
func (r reloading) all(ctx context.Context) error {
	c, err := r.client.Cluster(ctx)
	if err != nil {
		return err
	}
	var answers []nodeReload
	if !r.proxy {
		answers = r.each(ctx, c, true)
	}
	if refused := refusals(answers); refused == 0 && !r.dry {
		answers = r.each(ctx, c, false)
	} else if refused > 0 && !r.dry {
		err = errors.New("none has reloaded, since not all would; mend what is named above, or reload each by itself with --node")
	}
	if refusals(answers) > 0 && err == nil {
		err = &exitError{code: exitFailed}
	}
	if r.json {
		return errors.Join(printJSON(r.out, answers), err)
	}
	for _, a := range answers {
		lines := []string{a.Error}
		if a.Reload != nil {
			lines = []string{a.Message}
			for _, change := range a.Changes {
				lines = append(lines, "  "+change.Text)
			}
		}
		fmt.Fprintf(r.out, "%s: %s\n", a.Node, strings.Join(lines, "\n"))
	}
	return err
}

// each asks those that are there. One that is not is told of, and keeps no other from reloading.
func (r reloading) each(ctx context.Context, c api.Cluster, dry bool) (answers []nodeReload) {
	for _, v := range c.Nodes {
		switch v.Member {
		case "left":
			continue
		case "failed":
			answers = append(answers, nodeReload{Node: v.Node, Error: notThere})
			continue
		}
		a, err := r.ask(ctx, v.Node, dry)
		if err != nil {
			answers = append(answers, nodeReload{Node: v.Node, Error: err.Error()})
			continue
		}
		answers = append(answers, nodeReload{Node: v.Node, Reload: &a})
	}
	return answers
}

const notThere = "not asked: it is not there; it loads its file when it starts"

// refusals counts those who were asked and said no.
func refusals(answers []nodeReload) (n int) {
	for _, a := range answers {
		if a.Error != "" && a.Error != notThere {
			n++
		}
	}
	return n
}

// printDone prints what an order has done.
func printDone(w io.Writer, done api.Done, asJSON bool) error {
	if asJSON {
		return printJSON(w, done)
	}
	_, err := fmt.Fprintln(w, done.Message)
	return err
}
