package metrics

import (
	"maps"
	"slices"

	"github.com/tandem-lb/tandem/internal/api"
)

var (
	memberRoles  = []string{"balancer", "agent"}
	memberStates = []string{"alive", "suspect", "failed", "left"}
)

// clusterFamilies are about the gossip cluster, as this node sees it.
var clusterFamilies = []family{
	{
		"tandem_members", gauge, "Members of the cluster, this node included.", labels("role", "state"),
		func(s *api.Status, add func(float64, ...string)) {
			n := make(map[[2]string]int)
			for _, m := range s.Members {
				n[[2]string{m.Role, m.State}]++
			}
			for _, role := range memberRoles {
				for _, state := range memberStates {
					add(float64(n[[2]string{role, state}]), role, state)
				}
			}
		},
	},
	{
		"tandem_gossip_encrypted", gauge, "1 when gossip carries the gossip key.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(truth(s.Encrypted)) },
	},
	{
		"tandem_gossip_ignored_total", counter, "Messages of the cluster that came to nothing, since the control process started.", labels("reason"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, reason := range slices.Sorted(maps.Keys(s.Gossip.Ignored)) {
				add(float64(s.Gossip.Ignored[reason]), reason)
			}
		},
	},
	{
		"tandem_gossip_relayed_total", counter, "Answers carried for balancers whose own path to another was broken.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Gossip.Relayed)) },
	},
}
