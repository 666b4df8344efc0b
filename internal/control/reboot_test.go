package control

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// pairOf is a cluster of lb1 and lb2 in these states, whose self-tests went well.
func pairOf(states ...string) api.Cluster {
	c := api.Cluster{Node: "lb1"}
	for i, state := range states {
		name, peer := []string{"lb1", "lb2"}[i], []string{"lb2", "lb1"}[i]
		c.Nodes = append(c.Nodes, api.NodeView{Node: name, Member: "alive", Status: &api.Status{
			Node:   name,
			Groups: []api.Group{{Name: "default", State: state, Reason: "a reason", Fitness: 255, SelfTests: []api.SelfTest{{Peer: peer, Lossless: true}}}},
			Pools:  []api.Pool{{Name: "web", Backends: []api.Backend{{ID: "web1", State: "up"}}}},
		}})
	}
	return c
}

func TestWhetherABalancerCanBeRebooted(t *testing.T) {
	for _, c := range []struct {
		name   string
		states []string
		change func(a, b *api.NodeView)
		lb1    string // safe, and what it says
		lb2    string
	}{
		{"a good pair", []string{"active", "backup"}, nil, "after a handover: can take over without loss|tandem handover", "yes: lb1 is active; until it is back nobody can take over"},
		{"alone", []string{"active"}, nil, "no: There is no other balancer", ""},
		{"the backup is in fault", []string{"active", "fault"}, nil, "no: nobody could take over: lb2 is fault (a reason)", "yes: It is fault, and lb1 is active"},
		{"nobody is active", []string{"backup", "backup"}, nil, "no: Nobody is active", "no: Nobody is active"},
		{"the active died", []string{"active", "active"}, func(a, _ *api.NodeView) { a.Member = "failed" }, "yes: not heard of, and lb2 is active without it", "no: nobody could take over: lb1 is not heard of"},
		{"the backup died", []string{"active", "backup"}, func(_, b *api.NodeView) { b.Age = time.Minute }, "no: lb2 is not heard of", "yes: not heard of, and lb1 is active"},
		{"the backup never said a word", []string{"active", "backup"}, func(_, b *api.NodeView) { b.Status = nil }, "no: lb2 is not heard of", "yes: not heard of"},
		{"the backup is in maintenance", []string{"active", "backup"}, func(_, b *api.NodeView) { b.Status.Maint = time.Unix(1, 0) }, "no: lb2 is in maintenance", "yes: "},
		{"the backup could not serve", []string{"active", "backup"}, func(_, b *api.NodeView) { b.Status.Groups[0].Fitness = 0 }, "no: fitness is 0", "yes: "},
		{"the backup sees no app", []string{"active", "backup"}, func(_, b *api.NodeView) { b.Status.Pools[0].Backends[0].State = "down" }, "no: lb2 sees no backend of pool web up", "yes: "},
		{"neither sees an app", []string{"active", "backup"}, func(a, b *api.NodeView) {
			a.Status.Pools[0].Backends[0].State, b.Status.Pools[0].Backends[0].State = "down", "down"
		}, "after a handover: ", "yes: "},
		{"a handover would lose connections", []string{"active", "backup"}, func(a, _ *api.NodeView) {
			a.Status.Groups[0].SelfTests[0] = api.SelfTest{Peer: "lb2", Why: "LRO is on"}
		}, "after a handover: not without breaking connections: LRO is on", "yes: "},
		{"other configurations", []string{"active", "backup"}, func(a, _ *api.NodeView) { a.Status.Config.Others = []string{"lb2"} }, "after a handover: with another configuration|tandem reload", "yes: "},
		{"two are active", []string{"active", "active"}, nil, "no: It and lb2 are both active", "no: It and lb1 are both active"},
		{"it has just been relieved", []string{"active", "active"}, func(a, b *api.NodeView) {
			a.Age, b.Status.Groups[0].Epoch = time.Second, 9
		}, "no: just been relieved", "no: lb1 is active"},
		{"the adverts' path is cut, and the active tells nothing", []string{"active", "backup"}, func(a, b *api.NodeView) {
			a.Age, b.Status.Groups[0].Active, b.Status.Groups[0].Degraded = time.Minute, "lb1", "relay"
		}, "no: by relay while its adverts do not|tandem status", "yes: It is backup, and lb1 is active; until it is back nobody"},
		{"the active's control process hangs", []string{"active", "backup"}, func(a, b *api.NodeView) {
			a.Age, b.Status.Groups[0].Active = time.Minute, "lb1"
		}, "no: lb1 is active, as lb2 hears from its adverts", "yes: lb1 is active"},
		{"it drains", []string{"draining", "active"}, func(a, _ *api.NodeView) { a.Status.Groups[0].Left = 3 }, "no: 3 connections of before have not ended", "no: lb1 is draining"},
		{"two groups, the worse one counts", []string{"backup", "active"}, func(a, b *api.NodeView) {
			a.Status.Groups = append(a.Status.Groups, api.Group{Name: "two", State: "active"})
			b.Status.Groups = append(b.Status.Groups, api.Group{Name: "two", State: "fault", Reason: "deaf"})
		}, "no: lb2 is fault (deaf)", "after a handover: lb1 can take over"},
	} {
		cluster := pairOf(c.states...)
		if c.change != nil {
			c.change(&cluster.Nodes[0], &cluster.Nodes[len(cluster.Nodes)-1])
		}
		for i, want := range []string{c.lb1, c.lb2}[:len(c.states)] {
			r := rebootOf(cluster, cluster.Nodes[i])
			safe, says, _ := strings.Cut(want, ": ")
			says, first, _ := strings.Cut(says, "|")
			if r.Safe != safe || !strings.Contains(r.Why, says) || !strings.Contains(r.First, first) {
				t.Errorf("%s: %s can be rebooted: %+v; want %s", c.name, cluster.Nodes[i].Node, r, want)
			}
		}
	}
	if r := rebootOf(api.Cluster{Nodes: make([]api.NodeView, 2)}, api.NodeView{Node: "lb1"}); r.Safe != api.RebootNo {
		t.Errorf("where nobody has said anything yet: %+v", r)
	}
}
