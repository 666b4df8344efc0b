package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// printCluster says who is active and why, and has a line for each balancer and group.
func printCluster(w io.Writer, c api.Cluster) error {
	fmt.Fprintf(w, "%s answers for %s\n\n", c.Node, balancers(len(c.Nodes)))
	printActive(w, c)
	t := newTable(w, "BALANCER", "VIP", "STATE", "SINCE", "EPOCH", "FITNESS", "SAFE TO REBOOT", "SAID")
	for _, v := range c.Nodes {
		if v.Status == nil {
			t.row(v.Node, "", state(t.ink, "unknown"), "", "", "", safe(t.ink, v.Reboot), neverSaid(v))
			continue
		}
		for _, g := range v.Status.Groups {
			t.row(v.Node, addrs(g.VIPs), state(t.ink, stateIn(c, v, g)), ago(v.Status.At, g.Since), fmt.Sprint(g.Epoch), fmt.Sprint(g.Fitness), safe(t.ink, v.Reboot), said(c, v))
		}
		if len(v.Status.Groups) == 0 {
			t.row(v.Node, "", "", "", "", "", safe(t.ink, v.Reboot), said(c, v))
		}
	}
	return t.flush()
}

func balancers(n int) string {
	if n == 1 {
		return "1 balancer"
	}
	return fmt.Sprintf("%d balancers", n)
}

// printReboots says of each balancer whether it can be taken away.
func printReboots(w io.Writer, c api.Cluster) {
	fmt.Fprintln(w)
	for _, v := range c.Nodes {
		fmt.Fprintf(w, "reboot %s? %s: %s", v.Node, safe(paint.To(w), v.Reboot), v.Reboot.Why)
		if v.Reboot.First != "" {
			fmt.Fprintf(w, " First: %s.", v.Reboot.First)
		}
		fmt.Fprintln(w)
	}
}

// printSources says who answers, and how old the word of each other one is.
func printSources(w io.Writer, c api.Cluster) {
	words := []string{fmt.Sprintf("%s answers", c.Node)}
	for _, v := range c.Nodes {
		switch {
		case v.Status == nil:
			words = append(words, v.Node+" has said "+neverSaid(v))
		case v.Node != c.Node || v.Status.KeeperAge > api.StaleAfter:
			words = append(words, fmt.Sprintf("%s said this %s", v.Node, said(c, v)))
		}
	}
	fmt.Fprintln(w, strings.Join(words, "; "))
}

// printActive says for each group who is active, since when, and why.
func printActive(w io.Writer, c api.Cluster) {
	told := map[string]bool{}
	for _, v := range c.Nodes {
		if v.Status == nil {
			continue
		}
		for _, g := range v.Status.Groups {
			if told[g.Name] {
				continue
			}
			told[g.Name] = true
			fmt.Fprintf(w, "%s: %s\n", paint.To(w).Bold(addrs(g.VIPs)), strings.Join(activeIn(c, g.Name), "; "))
		}
	}
	if len(told) > 0 {
		fmt.Fprintln(w)
	}
}

// activeIn says of each node that is active in a group since when, and why.
func activeIn(c api.Cluster, group string) (all []string) {
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, g := range v.Status.Groups {
			if g.Name == group && c.StateOf(v, g) == "active" {
				why := cmp.Or(g.Why, "The reason was "+g.Reason+".")
				all = append(all, fmt.Sprintf("%s is active since %s (%s ago). %s", v.Node, g.Since.Local().Format("2006-01-02 15:04:05 MST"), ago(v.Status.At, g.Since), why))
			}
		}
	}
	if h, ok := c.HeardActive(group); ok && len(all) == 0 {
		return []string{fmt.Sprintf("%v; %s tells %s nothing itself", h, h.Active, c.Node)}
	}
	if len(all) == 0 {
		return []string{"nobody is known to be active; 'tandem why' tells what happened"}
	}
	return all
}

// stateIn is the state of a node's group, as long as the node is heard of.
func stateIn(c api.Cluster, v api.NodeView, g api.Group) string {
	if state := c.StateOf(v, g); state != "unknown" {
		return state
	}
	return "unknown (was " + g.State + ")"
}

// said is how old a node's word is.
func said(c api.Cluster, v api.NodeView) string {
	var words []string
	if v.Node == c.Node {
		words = append(words, "now")
	} else {
		words = append(words, v.Age.Round(100*time.Millisecond).String()+" ago")
	}
	if v.Status.KeeperAge > api.StaleAfter {
		words = append(words, "keeper silent for "+v.Status.KeeperAge.Round(time.Second).String())
	}
	if v.Member != "alive" {
		words = append(words, v.Member)
	}
	return strings.Join(words, ", ")
}

func neverSaid(v api.NodeView) string {
	if v.Error != "" {
		return "nothing: " + v.Error
	}
	return "nothing yet, " + v.Member
}

// pick returns the status of one balancer, the one that answers if node is empty.
func pick(c api.Cluster, node string) (api.NodeView, error) {
	if node == "" {
		node = c.Node
	}
	v, ok := c.Find(node)
	if !ok {
		var names []string
		for _, v := range c.Nodes {
			names = append(names, v.Node)
		}
		return v, fmt.Errorf("no balancer is called %q; there are: %s", node, strings.Join(names, ", "))
	}
	if v.Status == nil {
		return v, fmt.Errorf("%s has not told %s its status: %s; ask on %s itself", node, c.Node, neverSaid(v), node)
	}
	return v, nil
}
