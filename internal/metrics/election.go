package metrics

import (
	"maps"
	"slices"

	"github.com/tandem-lb/tandem/internal/api"
)

// electionFamilies are about what the balancers say to each other.
var electionFamilies = []family{
	{
		"tandem_adverts_authenticated", gauge, "1 when adverts carry the balancer key.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(truth(s.Authenticated)) },
	},
	{
		"tandem_advert_interval_seconds", gauge, "The configured interval of adverts.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(s.AdvertInterval.Seconds()) },
	},
	{
		"tandem_advert_lateness_seconds", gauge, "The latest advert of the last 5 to 10 s, beyond the interval: how busy this machine is.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(s.Adverts.WorstLate.Seconds()) },
	},
	{
		"tandem_adverts_sent_total", counter, "Adverts sent.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Adverts.Sent)) },
	},
	{
		"tandem_adverts_heard_total", counter, "Authentic adverts and answers heard.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Adverts.Heard)) },
	},
	{
		"tandem_adverts_refused_total", counter, "Datagrams on the adverts' port that were not heeded.", labels("reason"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, reason := range slices.Sorted(maps.Keys(s.Adverts.Refused)) {
				add(float64(s.Adverts.Refused[reason]), reason)
			}
		},
	},
	{
		"tandem_sessions", gauge, "Keepers with which this one has agreed on a session, under which adverts are believed.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Sessions)) },
	},
	{
		"tandem_state_channels", gauge, "State channels to other keepers that stand.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Channels)) },
	},
	{
		"tandem_maintenance", gauge, "1 while this node is in maintenance, and no candidate for any VIP.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(truth(!s.Maint.IsZero())) },
	},
	{
		"tandem_peer_heard_age_seconds", gauge, "Since a peer's last advert.", labels("group", "peer"),
		eachPeer(func(s *api.Status, p api.Peer) float64 { return (p.HeardAgo + s.KeeperAge).Seconds() }),
	},
	{
		"tandem_peer_state", gauge, "1 for the state that a peer says it is in; unknown when it has been silent for 3 s, or this node's keeper has.", labels("group", "peer", "state"),
		func(s *api.Status, add func(float64, ...string)) {
			for _, g := range s.Groups {
				for _, p := range g.Peers {
					state := p.State
					if p.HeardAgo+s.KeeperAge > max(StaleAfter, 5*s.AdvertInterval) || !slices.Contains(groupStates, state) {
						state = unknown
					}
					oneOf(groupStates, state, add, g.Name, p.Node)
				}
			}
		},
	},
	{
		"tandem_peer_fitness", gauge, "Fitness that a peer last said, 0 to 255.", labels("group", "peer"),
		eachPeer(func(_ *api.Status, p api.Peer) float64 { return float64(p.Fitness) }),
	},
	{
		"tandem_peer_epoch", gauge, "Epoch that a peer last said.", labels("group", "peer"),
		eachPeer(func(_ *api.Status, p api.Peer) float64 { return float64(p.Epoch) }),
	},
}

func eachPeer(value func(*api.Status, api.Peer) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, g := range s.Groups {
			for _, p := range g.Peers {
				add(value(s, p), g.Name, p.Node)
			}
		}
	}
}
