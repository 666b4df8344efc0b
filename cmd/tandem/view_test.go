package main

import (
	"context"
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
