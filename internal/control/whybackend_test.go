package control

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// sees is a balancer that sees one backend of the pool web so, with requests a second of it
// and of the whole pool.
func sees(node string, b api.Backend, rate, pool float64) api.NodeView {
	b.Live = &api.Live{Requests: rate}
	b.Why = whyNone(b)
	return api.NodeView{Node: node, Member: "alive", Status: &api.Status{Node: node, Pools: []api.Pool{{Name: "web", Live: &api.Live{Requests: pool}, Backends: []api.Backend{b}}}}}
}

func TestWhyABackendGetsNoRequests(t *testing.T) {
	addr := netip.MustParseAddrPort("10.0.0.21:3000")
	up := api.Backend{ID: "web1-3000", Addr: addr, State: "up", Weight: 100}
	with := func(change func(*api.Backend)) api.Backend { b := up; change(&b); return b }
	down := with(func(b *api.Backend) {
		b.State, b.Reason, b.CheckedAt = "down", "connection refused", time.Unix(1, 0)
	})
	hand := func(state string) api.Backend {
		return with(func(b *api.Backend) {
			b.State, b.ByHand = state, &api.ByHand{State: state, Who: "uid 0", Node: "lb2", At: time.Unix(0, 0).UTC()}
		})
	}
	for _, c := range []struct {
		name  string
		nodes []api.NodeView
		want  []string
	}{
		{"down", []api.NodeView{sees("lb1", down, 0, 9), sees("lb2", down, 0, 0)}, []string{"web1-3000 in pool web gets no requests", "Its check fails: connection refused.", "lb2 sees it down", "tandem logs web1-3000"}},
		{"down on one", []api.NodeView{sees("lb1", up, 4, 9), sees("lb2", down, 0, 0)}, []string{"gets no requests from lb2", "other balancers see it up"}},
		{"not checked", []api.NodeView{sees("lb1", with(func(b *api.Backend) { b.State = "down" }), 0, 9)}, []string{"not been checked yet"}},
		{"drained by hand", []api.NodeView{sees("lb1", hand("drain"), 0, 9)}, []string{"drains by hand: set by uid 0 on lb2 at 1970-01-01", "tandem ready web1-3000"}},
		{"in maintenance", []api.NodeView{sees("lb1", hand("maint"), 0, 9)}, []string{"in maintenance by hand: set by uid 0", "tandem ready"}},
		{"drained by its agent", []api.NodeView{sees("lb1", with(func(b *api.Backend) { b.State = "drain" }), 0, 9)}, []string{"its agent said so"}},
		{"served", []api.NodeView{sees("lb1", up, 4, 9)}, []string{"gets requests: 4.0 a second", "Nothing keeps"}},
		{"nobody asks", []api.NodeView{sees("lb1", up, 0, 0)}, []string{"nobody asks for its pool"}},
		{"others are preferred", []api.NodeView{sees("lb1", up, 0, 9)}, []string{"the 9.0 requests a second of its pool go to others"}},
	} {
		for _, name := range []string{"web1-3000", "web/web1-3000", "10.0.0.21:3000", "web1", "web"} {
			s, ok := backendStory(api.Cluster{Node: "lb1", Nodes: c.nodes}, name, nil)
			text := strings.Join(append([]string{s.Headline, s.Why}, append(s.Sure, s.Next...)...), "\n")
			for _, want := range c.want {
				if !ok || !strings.Contains(text, want) {
					t.Errorf("%s, asked for %s: %v, want %q in\n%s", c.name, name, ok, want, text)
				}
			}
		}
	}
	for _, name := range []string{"web2", "we", "web1-", "other/web1-3000"} {
		if _, ok := backendStory(api.Cluster{Node: "lb1", Nodes: []api.NodeView{sees("lb1", up, 0, 0)}}, name, nil); ok {
			t.Errorf("%q is known", name)
		}
	}
	dead := sees("lb1", up, 4, 9)
	dead.Age = time.Minute
	if _, ok := backendStory(api.Cluster{Node: "lb1", Nodes: []api.NodeView{dead}}, "web1-3000", nil); ok {
		t.Error("the word of a dead balancer counts")
	}
}

func TestTheStoryOfABackendHasWhatHappenedToItAndItsMember(t *testing.T) {
	b := api.Backend{ID: "web1:3000", Addr: netip.MustParseAddrPort("10.0.0.21:3000"), State: "up"}
	c := api.Cluster{Node: "lb1", Nodes: []api.NodeView{sees("lb1", b, 1, 1)}}
	all := []timeline.Entry{
		{Kind: timeline.KindBackend, Name: "web1:3000"},
		{Kind: timeline.KindMember, Name: "web1"},
		{Kind: timeline.KindOrder, Name: "drain web/web1:3000"},
		{Kind: timeline.KindOrder, Name: "weight 50 10.0.0.21:3000"},
		{Kind: timeline.KindBackend, Name: "web2:3000"},
		{Kind: timeline.KindMember, Name: "web11"},
		{Kind: timeline.KindOrder, Name: "reload"},
		{Kind: timeline.KindState},
	}
	if s, _ := backendStory(c, "web1", all); len(s.Events) != 4 {
		t.Errorf("%d events are told, want 4: %+v", len(s.Events), s.Events)
	}
}

func TestAppsThatAreInNoPoolAreTold(t *testing.T) {
	app := func(pool, addr string) membership.App {
		a := membership.App{Pool: pool}
		if addr != "" {
			a.Addr = netip.MustParseAddrPort(addr)
		}
		return a
	}
	agent := func(name string, state membership.State, apps ...membership.App) membership.Member {
		return membership.Member{Name: name, State: state, Meta: membership.Meta{Role: membership.RoleAgent, Apps: apps}}
	}
	members := []membership.Member{
		agent("well", membership.StateAlive, app("web", "10.0.0.1:1")),
		agent("gone", membership.StateFailed, app("web", "10.0.0.2:1")),
		agent("ill", membership.StateAlive, app("web", "")),
		agent("stray", membership.StateAlive, app("none", "10.0.0.3:1")),
		{Name: "lb2", Meta: membership.Meta{Role: membership.RoleBalancer}},
	}
	lists := &ipc.Pools{Pools: []ipc.PoolBackends{{Name: "web", Backends: []ipc.Backend{{ID: "well"}}}}}
	got := outside(members, []refusal{{"stray", "none", "no such pool is configured"}}, lists)
	want := map[string]string{"gone": "gossip says failed", "ill": "does not announce it", "stray": "no such pool"}
	if len(got) != len(want) {
		t.Errorf("%d are told, want %d: %+v", len(got), len(want), got)
	}
	for _, o := range got {
		if want[o.Member] == "" || !strings.Contains(o.Why, want[o.Member]) {
			t.Errorf("of %s: %q", o.Member, o.Why)
		}
		c := api.Cluster{Node: "lb1", Nodes: []api.NodeView{{Node: "lb1", Status: &api.Status{Outside: got}}}}
		if s, ok := backendStory(c, o.Member, nil); !ok || s.Why != o.Why || !strings.Contains(s.Headline, "not in pool "+o.Pool) {
			t.Errorf("the story of %s: %+v", o.Member, s)
		}
	}
	var flood []membership.Member
	for range 3 * maxOutside {
		flood = append(flood, agent("x", membership.StateAlive, app("web", "")))
	}
	if n := len(outside(flood, nil, lists)); n != maxOutside {
		t.Errorf("%d of a flood are told", n)
	}
}
