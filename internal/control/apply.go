package control

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// This file alone translates between ipc's, membership's and the API's values.

// picture is the newest that each process has said.
type picture struct {
	began    time.Time // before that nobody can have said anything
	keeper   *ipc.KeeperState
	keeperAt time.Time
	proxy    *ipc.ProxyState
	proxyAt  time.Time
	live     lives // of proxy
	members  []membership.Member
}

// status puts the API's Status together at now.
func (p picture) status(start *ipc.ControlStart, now time.Time) api.Status {
	s := api.Status{Node: start.Node, Version: start.Version, At: now, Encrypted: len(start.GossipKeys) > 0}
	s.Config = api.Config{Hash: start.ConfigHash, Others: otherConfigs(start.ConfigHash, p.members)}
	for _, m := range p.members {
		s.Members = append(s.Members, member(m))
	}
	s.KeeperAge, s.ProxyAge = now.Sub(p.began), now.Sub(p.began)
	if p.keeper != nil {
		s.KeeperAge = now.Sub(p.keeperAt)
		addKeeper(&s, p.keeper)
	}
	if p.proxy != nil {
		s.ProxyAge = now.Sub(p.proxyAt)
		addProxy(&s, p.proxy, p.live)
	}
	return s
}

// otherConfigs names the balancers that say that their configuration is another.
func otherConfigs(hash string, members []membership.Member) (names []string) {
	for _, m := range members {
		if m.Meta.Role == membership.RoleBalancer && m.State.Present() && !m.Self && m.Meta.Config != "" && m.Meta.Config != hash {
			names = append(names, m.Name)
		}
	}
	return names
}

func addKeeper(s *api.Status, k *ipc.KeeperState) {
	s.Since, s.Authenticated, s.AdvertInterval = k.Since, k.Secured, k.Interval
	s.Adverts, s.Sessions, s.Channels = api.Adverts(k.Adverts), k.Sessions, k.Channels
	s.Maint = k.Maint
	for _, p := range k.Processes {
		s.Processes = append(s.Processes, api.Process(p))
	}
	for _, t := range k.Tracks {
		s.Tracks = append(s.Tracks, api.Track(t))
	}
	for _, g := range k.Groups {
		out := api.Group{
			Name: g.Name, VIPs: g.VIPs, Interface: g.Interface, State: g.State, Since: g.Since, Reason: g.Reason,
			Active: g.Active, Epoch: g.Epoch, Priority: g.Priority, Fitness: g.Fitness,
			Holding: g.Holding, LeaseUntil: g.LeaseUntil, Answers: api.Answers(g.Answers),
			Fenced: g.Fenced, Degraded: g.Degraded, Tickle: api.Tickle(g.Tickle), Lossy: g.Lossy, Left: g.Left, Peers: []api.Peer{},
			Transitions: g.Transitions,
		}
		for _, t := range g.SelfTests {
			out.SelfTests = append(out.SelfTests, api.SelfTest(t))
		}
		for _, p := range g.Peers {
			out.Peers = append(out.Peers, api.Peer(p))
		}
		s.Groups = append(s.Groups, out)
	}
}

func addProxy(s *api.Status, p *ipc.ProxyState, live lives) {
	s.LatencyBounds = p.LatencyBounds
	s.AccessLog = api.AccessLog{Lines: p.LogLines, Lost: p.LogLost}
	for _, f := range p.Frontends {
		var rules []api.Rule
		for _, r := range f.Rules {
			rules = append(rules, api.Rule(r))
		}
		s.Frontends = append(s.Frontends, api.Frontend{
			Name: f.Name, Connections: f.Connections, Current: f.Current, Requests: f.Requests, Status: f.Status,
			BytesIn: f.BytesIn, BytesOut: f.BytesOut, Tunnels: f.Tunnels, Retries: f.Retries, Errors: f.Errors,
			TLS: (*api.TLS)(f.TLS), HTTP2: (*api.HTTP2)(f.HTTP2), Latency: api.Histogram(f.Latency), Live: live[liveKey{frontend: f.Name}], Rules: rules,
		})
	}
	for _, pool := range p.Pools {
		out := api.Pool{
			Name: pool.Name, Policy: pool.Policy, OnBackup: pool.OnBackup, Panic: pool.Panic,
			Waiting: pool.Waiting, Queued: pool.Queued, Queue: pool.Queue, Sticky: pool.Sticky,
			RetriesRefused: pool.RetriesRefused, EjectionsRefused: pool.EjectionsRefused, Backends: []api.Backend{}, Requests: pool.Requests, Status: pool.Status,
			NoBackend: pool.NoBackend, Retries: pool.Retries, Latency: api.Histogram(pool.Latency), Live: live[liveKey{pool: pool.Name}],
		}
		for _, b := range pool.Backends {
			out.Backends = append(out.Backends, api.Backend{
				ID: b.ID, Addr: b.Addr, State: b.State, Since: b.Since, Reason: b.Reason, Weight: b.Weight, Share: b.Share, Backup: b.Backup, MaxConn: b.MaxConn, EjectedUntil: b.EjectedUntil, Ejections: b.Ejections, Current: b.Current,
				Requests: b.Requests, Errors: b.Errors, Status: b.Status, ErrorsBy: b.ErrorsBy,
				Conns: b.Conns, Connects: b.Connects, Reused: b.Reused, BytesIn: b.BytesIn, BytesOut: b.BytesOut,
				CheckedAt: b.CheckedAt, CheckTook: b.CheckTook, Checks: b.Checks, BadChecks: b.BadChecks, LastError: b.LastError, LastAt: b.LastAt,
				Latency: api.Histogram(b.Latency), Live: live[liveKey{pool.Name, b.ID, ""}],
			})
		}
		s.Pools = append(s.Pools, out)
	}
}

// addHands adds what operators have set of backends, and those that no proxy knows since they
// are in maintenance.
func addHands(s *api.Status, hs hands, known *ipc.Pools) {
	if known == nil {
		return
	}
	for i := range s.Pools {
		pool := &s.Pools[i]
		for _, l := range known.Pools {
			if l.Name != pool.Name {
				continue
			}
			for _, b := range l.Backends {
				h, set := hs[handKey{pool.Name, b.ID}]
				if !set || h.undone() {
					continue
				}
				at := slices.IndexFunc(pool.Backends, func(o api.Backend) bool { return o.ID == b.ID })
				if at < 0 {
					pool.Backends = append(pool.Backends, api.Backend{ID: b.ID, Addr: b.Addr, Since: h.At, Weight: cmp.Or(h.Weight, b.Weight)})
					at = len(pool.Backends) - 1
				}
				switch h.State {
				case stateMaint:
					pool.Backends[at].State, pool.Backends[at].Reason = stateMaint, ""
				case stateDrain:
					pool.Backends[at].Since = h.At
				}
				pool.Backends[at].ByHand = &api.ByHand{State: h.State, Weight: h.Weight, Who: h.Who, Node: h.Node, At: h.At}
			}
		}
	}
}

func member(m membership.Member) api.Member {
	out := api.Member{
		Name: m.Name, Role: m.Meta.Role.String(), State: m.State.String(),
		Addr: netip.AddrPortFrom(m.Addr, m.Port), Since: m.Since, Tags: m.Meta.Tags,
	}
	for _, a := range m.Meta.Apps {
		out.Apps = append(out.Apps, api.App(a))
	}
	return out
}

func keyReport(r membership.KeyReport, added string, err error) api.Keys {
	out := api.Keys{Added: added, Holders: []api.KeyHolder{}, Failed: r.Failed}
	if err != nil {
		out.Error = err.Error()
	}
	for _, h := range r.Holders {
		k := api.KeyHolder{Name: h.Name, Addr: h.Addr, Keys: h.Keys, Kept: h.Kept}
		if h.Err != nil {
			k.Error = h.Err.Error()
		}
		out.Holders = append(out.Holders, k)
	}
	return out
}

func relayAnswer(q *ipc.RelayQuery, a membership.RelayAnswer) *ipc.RelayAnswer {
	return &ipc.RelayAnswer{From: a.Via, To: q.To, Datagram: a.Datagram}
}

func clusterConfig(start *ipc.ControlStart) membership.Config {
	return membership.Config{
		Name: start.Node, Bind: netip.AddrPortFrom(start.GossipAddr, start.GossipPort), Advertise: start.Advertise, Near: start.Near,
		Seeds: start.Join, Keys: start.GossipKeys,
		Meta: membership.Meta{Role: membership.RoleBalancer, Version: start.Version},
	}
}

func transition(t *ipc.Transition) timeline.Entry {
	ev := timeline.Evidence(t.Evidence)
	return timeline.Entry{
		Time: t.At, Kind: timeline.KindState, Group: t.Group, From: t.From, To: t.To, Reason: t.Reason, Peer: t.Peer, Detail: t.Detail,
		Epoch: t.Epoch, Boot: t.Boot, ID: t.ID, Evidence: &ev, Phases: phases(t.Phases),
	}
}

func phases(p *ipc.Phases) *timeline.Phases {
	if p == nil {
		return nil
	}
	return &timeline.Phases{Detect: p.Detect, Decide: p.Decide, Claim: p.Claim, Announce: p.Announce}
}

func served(m *ipc.Served) timeline.Entry {
	return timeline.Entry{Time: m.At, Kind: timeline.KindServed, Group: m.Group, To: "served", Epoch: m.Epoch, Phases: &timeline.Phases{Serve: m.After}}
}

func entries(in []timeline.Entry) []api.Entry {
	out := make([]api.Entry, len(in))
	for i, e := range in {
		out[i] = api.Entry{
			Seq: e.Seq, Time: e.Time, Node: e.Node, Kind: e.Kind, Group: e.Group, Subject: e.Name, From: e.From, To: e.To,
			Reason: e.Reason, Peer: e.Peer, Detail: e.Detail, Epoch: e.Epoch, Who: e.Who,
			Evidence: (*api.Evidence)(e.Evidence), Phases: (*api.Phases)(e.Phases),
		}
	}
	return out
}

// entryOf is the other way.
func entryOf(e api.Entry) timeline.Entry {
	return timeline.Entry{
		Seq: e.Seq, Time: e.Time, Node: e.Node, Kind: e.Kind, Group: e.Group, Name: e.Subject, From: e.From, To: e.To,
		Reason: e.Reason, Peer: e.Peer, Detail: e.Detail, Epoch: e.Epoch, Who: e.Who,
		Evidence: (*timeline.Evidence)(e.Evidence), Phases: (*timeline.Phases)(e.Phases),
	}
}

func story(s timeline.Story) api.Story {
	return api.Story{
		Headline: s.Headline, Events: entries(s.Events), Why: s.Why, Sure: s.Sure, Took: s.Took, Next: s.Next, Complete: s.Complete,
	}
}

func gossip(s membership.Stats) api.Gossip {
	return api.Gossip{Relayed: s.Relayed, Ignored: map[string]uint64{
		"bad_meta": s.BadMeta, "refused_new": s.RefusedNew, "bad_message": s.BadMessages, "dropped_message": s.DroppedMessages, "merged_event": s.MergedEvents,
		"refused_order": s.RefusedOrders, "refused_relay": s.RefusedRelays,
	}}
}
