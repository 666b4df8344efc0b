package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// groupStates are those of a VIP group; peerStates those that a peer says it is in.
var groupStates = []string{"init", "backup", "active", "draining", "fault", unknown}

// vipFamilies are about the VIP groups of this node.
var vipFamilies = []family{
	{
		"tandem_vip_state", gauge, "1 for the state that this node is in; unknown when its keeper has been silent for 3 s.", labels("group", "state"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				oneOf(groupStates, stateOf(s, g), add, g.Name)
			}
		},
	},
	{
		"tandem_vip_state_since_seconds", gauge, "When this node entered that state, since the epoch of Unix.", labels("group"),
		eachGroup(func(g api.Group) float64 { return unix(g.Since) }),
	},
	{
		"tandem_vip_transitions_total", counter, "Changes of state since the keeper started, by the state entered and why.", labels("group", "state", "reason"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				for _, state := range slices.Sorted(maps.Keys(g.Transitions)) {
					for why, n := range g.Transitions[state] {
						add(float64(n), g.Name, state, why)
					}
				}
			}
		},
	},
	{
		"tandem_vip_addresses", gauge, "VIPs of the group.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(len(g.VIPs)) }),
	},
	{
		"tandem_vip_held", gauge, "VIPs of the group that are on this node's interface now; a draining node keeps them, mute.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(len(g.Holding)) }),
	},
	{
		"tandem_vip_lease_seconds", gauge, "How long the kernel keeps the VIPs unless they are renewed; 0 when none is held.", labels("group"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				add(max(0, leaseLeft(s.At, g.LeaseUntil).Seconds()), g.Name)
			}
		},
	},
	{
		"tandem_vip_muted", gauge, "1 where the keeper answers ARP or NDP and the kernel is silent, so that a dead keeper owns nothing.", labels("group", "family"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				for _, f := range []struct{ name, mode string }{{"ipv4", g.Answers.IPv4}, {"ipv6", g.Answers.IPv6}} {
					if f.mode != "none" && f.mode != "" {
						add(truth(f.mode == "keeper"), g.Name, f.name)
					}
				}
			}
		},
	},
	{
		"tandem_vip_answers_total", counter, "ARP and NDP answers that the keeper gave for the VIPs.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Answers.Given) }),
	},
	{
		"tandem_vip_answers_withheld_total", counter, "Those that it did not give: too late, or not sure of itself.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Answers.Refused) }),
	},
	{
		"tandem_vip_epoch", gauge, "Epoch of the group: it grows with each claim, on whichever node.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Epoch) }),
	},
	{
		"tandem_vip_priority", gauge, "Priority of this node, 1 to 254.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Priority) }),
	},
	{
		"tandem_vip_fitness", gauge, "Fitness of this node, 0 to 255: how well it would serve.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Fitness) }),
	},
	{
		"tandem_vip_fenced", gauge, "1 while this node says nothing about the VIPs: it was paused, or hears nobody.", labels("group"),
		eachGroup(func(g api.Group) float64 { return truth(g.Fenced) }),
	},
	{
		"tandem_vip_path_degraded", gauge, "1 while the active answers, but its adverts do not come.", labels("group"),
		eachGroup(func(g api.Group) float64 { return truth(g.Degraded != "") }),
	},
	{
		"tandem_vip_lossless", gauge, "Result of the last self-test with a peer: 1 if the VIPs can move there without a loss.", labels("group", "peer"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				for _, t := range g.SelfTests {
					add(truth(t.Lossless), g.Name, t.Peer)
				}
			}
		},
	},
	{
		"tandem_vip_connections_left", gauge, "While draining: connections that have not ended yet.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Left) }),
	},
	{
		"tandem_vip_clients", gauge, "Connections that a taker-over would tell of a crash: this node's that its peers know, those that found no room, and the peers'.", labels("group", "known"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				add(float64(g.Tickle.Told), g.Name, "by_peers")
				add(float64(g.Tickle.LeftOut), g.Name, "left_out")
				add(float64(g.Tickle.Known), g.Name, "here")
			}
		},
	},
	{
		"tandem_vip_clients_told_total", counter, "Clients of lost nodes that were told to look, or could not be.", labels("group", "result"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				add(float64(g.Tickle.Sent), g.Name, "sent")
				add(float64(g.Tickle.Unsent), g.Name, "unsent")
			}
		},
	},
	{
		"tandem_vip_client_messages_lost_total", counter, "Messages about clients that a slow state channel lost; everything is said again.", labels("group"),
		eachGroup(func(g api.Group) float64 { return float64(g.Tickle.Lost) }),
	},
}

func eachGroup(value func(api.Group) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, g := range s.Groups {
			add(value(g), g.Name)
		}
	}
}

// stateOf is the group's state, as long as its keeper goes on saying so.
func stateOf(s *api.Status, g api.Group) string {
	if s.KeeperAge > StaleAfter || !slices.Contains(groupStates, g.State) {
		return unknown
	}
	return g.State
}

func leaseLeft(now, until time.Time) time.Duration {
	if until.IsZero() {
		return 0
	}
	return until.Sub(now)
}
