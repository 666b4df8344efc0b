package control

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/internal/api"
)

// rebootOf says whether a balancer can be taken away now. Each VIP group has its say, and the
// worst counts.
func rebootOf(c api.Cluster, v api.NodeView) api.Reboot {
	others := slices.DeleteFunc(slices.Clone(c.Nodes), func(o api.NodeView) bool { return o.Node == v.Node })
	if len(others) == 0 {
		return api.Reboot{Safe: api.RebootNo, Why: "There is no other balancer: until it is back nobody answers for its VIPs.", First: "start a second balancer"}
	}
	var all []api.Reboot
	for _, name := range groupsOf(c) {
		all = append(all, rebootIn(c, name, v, others))
	}
	worst := api.Reboot{Safe: api.RebootNo, Why: "No balancer has told of its VIPs yet.", First: "'tandem status' again in a moment"}
	for i, r := range all {
		if rank := slices.Index(rebootOrder, r.Safe); i == 0 || rank > slices.Index(rebootOrder, worst.Safe) {
			worst = r
		}
	}
	return worst
}

var rebootOrder = []string{api.RebootYes, api.RebootHandover, api.RebootNo}

// groupsOf names all VIP groups that any balancer told of.
func groupsOf(c api.Cluster) (names []string) {
	for _, v := range c.Nodes {
		if v.Status == nil {
			continue
		}
		for _, g := range v.Status.Groups {
			if !slices.Contains(names, g.Name) {
				names = append(names, g.Name)
			}
		}
	}
	return names
}

// groupIn is a node's group of that name, nil if it has told of none.
func groupIn(v api.NodeView, name string) *api.Group {
	if v.Status == nil {
		return nil
	}
	for i := range v.Status.Groups {
		if v.Status.Groups[i].Name == name {
			return &v.Status.Groups[i]
		}
	}
	return nil
}

// rebootIn is what one group says of it.
func rebootIn(c api.Cluster, name string, v api.NodeView, others []api.NodeView) api.Reboot {
	g := groupIn(v, name)
	var active, spare []api.NodeView
	for _, o := range others {
		switch og := groupIn(o, name); {
		case og == nil || !o.Heard():
		case c.StateOf(o, *og) == "active":
			active = append(active, o)
		case cannotTake(v, o, og) == "":
			spare = append(spare, o)
		}
	}
	heard, byWord := c.HeardActive(name)
	switch {
	case len(active) > 0:
		return rebootBeside(v, g, active[0].Node, spare)
	case byWord && heard.Active == v.Node:
		return api.Reboot{Safe: api.RebootNo, Why: fmt.Sprintf("%v; it does not tell %s who could take over.", heard, c.Node), First: "ask on " + v.Node + " itself: tandem status"}
	case byWord:
		return rebootBeside(v, g, heard.Active, spare)
	case g == nil || !v.Heard():
		return api.Reboot{Safe: api.RebootNo, Why: fmt.Sprintf("%s is not heard of, and nobody else is known to be active.", v.Node), First: "ask on " + v.Node + " itself: tandem status"}
	case c.StateOf(v, *g) != "active":
		return api.Reboot{Safe: api.RebootNo, Why: fmt.Sprintf("Nobody is active: %s is %s.", v.Node, g.State), First: "tandem why"}
	case len(spare) == 0:
		var why []string
		for _, o := range others {
			why = append(why, cannotTake(v, o, groupIn(o, name)))
		}
		return api.Reboot{Safe: api.RebootNo, Why: "It is active, and nobody could take over: " + strings.Join(why, "; ") + ".", First: "bring the other balancer back, or see why it cannot: tandem status, tandem why --node " + others[0].Node}
	}
	to := spare[0].Node
	r := api.Reboot{Safe: api.RebootHandover, Why: fmt.Sprintf("It is active, and %s can take over%s.", to, lossOf(*g, to)), First: "tandem handover"}
	if slices.Contains(v.Status.Config.Others, to) {
		r.Why = strings.TrimSuffix(r.Why, ".") + ", with another configuration."
		r.First = "put the same file on both, tandem reload on each, then tandem handover"
	}
	return r
}

// rebootBeside is about a node beside which another one is active.
func rebootBeside(v api.NodeView, g *api.Group, active string, spare []api.NodeView) api.Reboot {
	until := fmt.Sprintf("until it is back nobody can take over from %s", active)
	if len(spare) > 0 {
		until = spare[0].Node + " can still take over"
	}
	switch {
	case g == nil || !v.Heard():
		return api.Reboot{Safe: api.RebootYes, Why: fmt.Sprintf("It is not heard of, and %s is active without it; %s.", active, until)}
	case g.State == "draining":
		return api.Reboot{
			Safe: api.RebootNo, Why: fmt.Sprintf("%s is active, but %d connections of before have not ended here yet.", active, g.Left),
			First: "wait until 'tandem status' says backup; a stop in good order waits as well",
		}
	}
	if g.State == "active" {
		return api.Reboot{Safe: api.RebootNo, Why: fmt.Sprintf("It and %s are both active, or it has just been relieved.", active), First: "look again in a moment; if both stay active: tandem why"}
	}
	return api.Reboot{Safe: api.RebootYes, Why: fmt.Sprintf("It is %s, and %s is active; %s.", g.State, active, until)}
}

// cannotTake says why a node could not take a group over from v; "" if it could.
func cannotTake(v, o api.NodeView, g *api.Group) string {
	switch {
	case g == nil || !o.Heard():
		return o.Node + " is not heard of"
	case !o.Status.Maint.IsZero():
		return o.Node + " is in maintenance"
	case g.State != "backup":
		return fmt.Sprintf("%s is %s (%s)", o.Node, g.State, g.Reason)
	case g.Fitness == 0:
		return o.Node + " could not serve: its fitness is 0"
	case v.Status == nil:
		return ""
	}
	for _, p := range v.Status.Pools {
		if upIn(*v.Status, p.Name) > 0 && upIn(*o.Status, p.Name) == 0 {
			return fmt.Sprintf("%s sees no backend of pool %s up", o.Node, p.Name)
		}
	}
	return ""
}

func upIn(s api.Status, pool string) (n int) {
	for _, p := range s.Pools {
		for _, b := range p.Backends {
			if p.Name == pool && b.State == "up" {
				n++
			}
		}
	}
	return n
}

// lossOf is what a handover to a node would cost.
func lossOf(g api.Group, to string) string {
	if g.Lossy != "" {
		return ", but not without breaking connections: " + g.Lossy
	}
	for _, t := range g.SelfTests {
		switch {
		case t.Peer != to:
		case t.Lossless:
			return " without loss"
		default:
			return ", but not without breaking connections: " + t.Why
		}
	}
	return "; whether that loses connections has not been tried yet"
}
