package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// printCluster is a line for each balancer and group.
func printCluster(w io.Writer, c api.Cluster) error {
	fmt.Fprintf(w, "%s answers for %s\n\n", c.Node, balancers(len(c.Nodes)))
	t := newTable(w, "BALANCER", "VIP", "STATE", "SINCE", "EPOCH", "FITNESS", "SAID")
	for _, v := range c.Nodes {
		if v.Status == nil {
			t.row(v.Node, "", "unknown", "", "", "", neverSaid(v))
			continue
		}
		for _, g := range v.Status.Groups {
			t.row(v.Node, addrs(g.VIPs), stateIn(v, g), ago(v.Status.At, g.Since), fmt.Sprint(g.Epoch), fmt.Sprint(g.Fitness), said(c, v))
		}
		if len(v.Status.Groups) == 0 {
			t.row(v.Node, "", "", "", "", "", said(c, v))
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

// stateIn is the state of a node's group, as long as the node is heard of.
func stateIn(v api.NodeView, g api.Group) string {
	if v.Heard() {
		return g.State
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
