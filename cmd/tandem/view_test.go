package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// exampleCluster is the example's node, its peer, one that has died, and one that never spoke.
func exampleCluster(context.Context) api.Cluster {
	own, peer, dead := example(), example(), example()
	peer.Node, peer.Groups[0].State, peer.Groups[0].Reason, peer.Groups[0].Peers = "lb2", "backup", "started", nil
	dead.Node = "lb3"
	yes, no := api.Reboot{Safe: api.RebootYes, Why: "It is backup."}, api.Reboot{Safe: api.RebootHandover, Why: "It is active.", First: "tandem handover"}
	return api.Cluster{Node: "lb1", At: own.At, Nodes: []api.NodeView{
		{Node: "lb1", Member: "alive", Status: &own, Reboot: no},
		{Node: "lb2", Member: "alive", Age: 300 * time.Millisecond, Status: &peer, Reboot: yes},
		{Node: "lb3", Member: "failed", Age: 12 * time.Second, Status: &dead, Error: "not reached", Reboot: yes},
		{Node: "lb4", Member: "alive", Error: "this member answers no questions", Reboot: yes},
	}}
}

func TestWhoIsActiveIsSaidByOthersToo(t *testing.T) {
	c := exampleCluster(context.Background())
	c.Nodes[0].Age = time.Minute // the active tells nothing
	c.Node = "lb2"
	peer := &c.Nodes[1].Status.Groups[0]
	for _, heard := range []struct{ active, path, want string }{
		{"", "", "nobody is known to be active"},
		{"lb2", "", "nobody is known to be active"}, // it does not say so of itself
		{"lb1", "", "lb1 is active, as lb2 hears from its adverts; lb1 tells lb2 nothing itself"},
		{"lb1", "relay", "lb1 is active, as its answers say that reach lb2 by relay while its adverts do not"},
	} {
		peer.Active, peer.Degraded = heard.active, heard.path
		if got := strings.Join(activeIn(c, "default"), "; "); !strings.HasPrefix(got, heard.want) {
			t.Errorf("%+v: %q", heard, got)
		}
	}
	c.Nodes[0].Age = 0
	if got := strings.Join(activeIn(c, "default"), "; "); !strings.HasPrefix(got, "lb1 is active since") {
		t.Errorf("it says so itself: %q", got)
	}
}
