package control

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

func agent(name, pool, addr string, change ...func(*membership.Member)) membership.Member {
	m := membership.Member{Name: name, State: membership.StateAlive, Meta: membership.Meta{Role: membership.RoleAgent, Apps: []membership.App{{Pool: pool, Weight: 100}}}}
	if addr != "" {
		m.Meta.Apps[0].Addr = netip.MustParseAddrPort(addr)
		m.Addr = m.Meta.Apps[0].Addr.Addr()
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

// nobody is what a proxy says that finds no backend well.
func nobody(string) bool { return false }

func in(s membership.State) func(*membership.Member) {
	return func(m *membership.Member) { m.State = s }
}

func TestAPoolsListIsItsStaticBackendsAndItsMembers(t *testing.T) {
	static := []ipc.StaticPool{
		{Name: "api", Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
		{Name: "web", Backends: []ipc.StaticBackend{{Addr: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 100}}},
	}
	members := []membership.Member{
		agent("a1", "web", "10.0.0.1:3000"),
		agent("a2", "web", "10.0.0.2:3000", in(membership.StateSuspect)),
		agent("a3", "web", "10.0.0.3:3000", in(membership.StateFailed)),
		agent("a4", "web", "10.0.0.4:3000", in(membership.StateLeft)),
		agent("a5", "web", ""), // its check fails
		agent("a6", "web", "10.0.0.6:3000", func(m *membership.Member) { m.Meta.Apps[0].Drain, m.Meta.Apps[0].Weight = true, 7 }),
		agent("b1", "api", "10.1.0.1:3000"),
		agent("b2", "api", "10.2.0.1:3000"), // not from an allowed network
		agent("c1", "nope", "10.0.0.8:3000"),
		agent("d1", "web", "10.1.0.7:3000", func(m *membership.Member) {
			m.Meta.Apps = append(m.Meta.Apps,
				membership.App{Pool: "web", Addr: netip.MustParseAddrPort("10.1.0.7:3001"), Weight: 5},
				membership.App{Pool: "api", Addr: netip.MustParseAddrPort("10.1.0.7:4000"), Weight: 9, Drain: true},
				membership.App{Pool: "api"}, // its check fails
				membership.App{Pool: "nope", Addr: netip.MustParseAddrPort("10.1.0.7:5000"), Weight: 9},
				membership.App{Pool: "web", Addr: netip.MustParseAddrPort("10.1.0.7:3001"), Weight: 9})
		}),
		{Name: "lb1", State: membership.StateAlive, Meta: membership.Meta{Role: membership.RoleBalancer}},
	}
	got, refused := poolLists(static, members, nobody, time.Now())
	want := &ipc.Pools{Pools: []ipc.PoolBackends{
		{Name: "api", Backends: []ipc.Backend{
			{ID: "b1", Addr: netip.MustParseAddrPort("10.1.0.1:3000"), Weight: 100},
			{ID: "d1:4000", Addr: netip.MustParseAddrPort("10.1.0.7:4000"), Weight: 9, Drain: true},
		}},
		{Name: "web", Backends: []ipc.Backend{
			{ID: "static 10.0.0.9:80", Addr: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 100},
			{ID: "a1", Addr: netip.MustParseAddrPort("10.0.0.1:3000"), Weight: 100},
			{ID: "a2", Addr: netip.MustParseAddrPort("10.0.0.2:3000"), Weight: 100},
			{ID: "a6", Addr: netip.MustParseAddrPort("10.0.0.6:3000"), Weight: 7, Drain: true},
			{ID: "d1:3000", Addr: netip.MustParseAddrPort("10.1.0.7:3000"), Weight: 100},
			{ID: "d1:3001", Addr: netip.MustParseAddrPort("10.1.0.7:3001"), Weight: 5},
		}},
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	wantRefused := []refusal{
		{"b2", "api", "its address is in none of the networks that the pool allows"},
		{"c1", "nope", "no such pool is configured"},
		{"d1:5000", "nope", "no such pool is configured"},
		{"d1:3001", "web", "it announces the same port for this pool twice"},
	}
	if diff := cmp.Diff(wantRefused, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestAnAgentSpeaksForItselfAloneUnlessToldOtherwise(t *testing.T) {
	from := func(gossip string, tags map[string]string) func(*membership.Member) {
		return func(m *membership.Member) { m.Addr, m.Meta.Tags = netip.MustParseAddr(gossip), tags }
	}
	zone := map[string]string{"zone": "a", "other": "b"}
	members := []membership.Member{
		agent("own", "web", "10.0.0.1:3000", from("10.0.0.1", zone)),
		agent("victim's", "web", "10.0.0.2:3000", from("10.0.0.66", zone)), // would send the pool's traffic to 10.0.0.2
		agent("mapped", "web", "10.9.0.7:3000", from("172.17.0.2", zone)),
		agent("untagged", "web", "10.0.0.3:3000", from("10.0.0.3", nil)),
		agent("wrongly", "web", "10.0.0.4:3000", from("10.0.0.4", map[string]string{"zone": "b"})),
	}
	lists, refused := poolLists([]ipc.StaticPool{{
		Name: "web", AllowTags: [][2]string{{"zone", "a"}}, SpeakFor: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
	}}, members, nobody, time.Now())
	var in []string
	for _, b := range lists.Pools[0].Backends {
		in = append(in, b.ID)
	}
	if diff := cmp.Diff([]string{"own", "mapped"}, in); diff != "" {
		t.Errorf("in the pool (-want +got):\n%s", diff)
	}
	want := []refusal{
		{"victim's", "web", "it announces an address that is not its own and in none of the pool's speak_for networks"},
		{"untagged", "web", "it does not bear the tag zone=a"},
		{"wrongly", "web", "it does not bear the tag zone=a"},
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestBackupsAreNamedOrBearTheirTags(t *testing.T) {
	tagged := func(tags map[string]string) func(*membership.Member) {
		return func(m *membership.Member) { m.Meta.Tags = tags }
	}
	lists, _ := poolLists([]ipc.StaticPool{{
		Name: "web", BackupTags: [][2]string{{"role", "spare"}, {"zone", "b"}},
		Backends: []ipc.StaticBackend{
			{Addr: netip.MustParseAddrPort("10.0.0.8:80"), Weight: 50},
			{Addr: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 100, Backup: true},
		},
	}}, []membership.Member{
		agent("a", "web", "10.0.0.1:3000", tagged(map[string]string{"role": "spare", "zone": "b"})),
		agent("b", "web", "10.0.0.2:3000", tagged(map[string]string{"role": "spare"})),
	}, nobody, time.Now())
	got := map[string]ipc.Backend{}
	for _, b := range lists.Pools[0].Backends {
		got[b.ID] = b
	}
	if s := got["static 10.0.0.8:80"]; s.Weight != 50 || s.Backup {
		t.Errorf("%+v", s)
	}
	if !got["static 10.0.0.9:80"].Backup || !got["a"].Backup || got["b"].Backup {
		t.Errorf("backups are wrong: %+v", got)
	}
}

func TestAdvertsGoToTheOtherBalancersThatAreThere(t *testing.T) {
	lb := func(name, addr string, s membership.State, self bool) membership.Member {
		return membership.Member{Name: name, State: s, Self: self, Meta: membership.Meta{Role: membership.RoleBalancer, AdvertAddr: netip.MustParseAddrPort(addr)}}
	}
	got := balancers([]membership.Member{
		lb("lb1", "10.0.0.1:7947", membership.StateAlive, true),
		lb("lb2", "10.0.0.2:7947", membership.StateAlive, false),
		lb("lb3", "10.0.0.3:7947", membership.StateSuspect, false),
		lb("lb4", "10.0.0.4:7947", membership.StateFailed, false),
		agent("s1", "web", "10.0.0.5:80"),
	})
	want := []ipc.Balancer{
		{Node: "lb2", Addr: netip.MustParseAddrPort("10.0.0.2:7947")}, {Node: "lb3", Addr: netip.MustParseAddrPort("10.0.0.3:7947")},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestANewControlProcessDropsNobodyItHasNotHeardOf(t *testing.T) {
	lists := &ipc.Pools{Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{{ID: "a1", Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 100}}},
	}}
	reported := []ipc.PoolState{
		{Name: "web", Backends: []ipc.BackendState{
			{ID: "a1", Addr: netip.MustParseAddrPort("10.0.0.1:80"), State: "up", Weight: 100},
			{ID: "a2", Addr: netip.MustParseAddrPort("10.0.0.2:80"), State: "up", Weight: 7},
			{ID: "a3", Addr: netip.MustParseAddrPort("10.0.0.3:80"), State: "down", Weight: 100},
			{ID: "a4", Addr: netip.MustParseAddrPort("10.0.0.4:80"), State: "up", Weight: 100},
			{ID: "a6:80", Addr: netip.MustParseAddrPort("10.0.0.6:80"), State: "up", Weight: 100},
			{ID: "a7:80", Addr: netip.MustParseAddrPort("10.0.0.7:80"), State: "up", Weight: 100},
			{ID: "a5", Addr: netip.MustParseAddrPort("10.0.0.5:80"), State: "drain", Weight: 100},
			{ID: "static 10.0.0.9:80", Addr: netip.MustParseAddrPort("10.0.0.9:80"), State: "up", Weight: 100},
		}},
		{Name: "gone", Backends: []ipc.BackendState{{ID: "b1", State: "up"}}},
	}
	members := []membership.Member{agent("a1", "web", "10.0.0.1:80"), agent("a4", "web", "10.0.0.4:80", in(membership.StateLeft)), agent("a7", "web", "10.0.0.7:81")}
	inherit(lists, reported, members)
	want := &ipc.Pools{Pools: []ipc.PoolBackends{{Name: "web", Backends: []ipc.Backend{
		{ID: "a1", Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 100},
		{ID: "a2", Addr: netip.MustParseAddrPort("10.0.0.2:80"), Weight: 7},
		{ID: "a6:80", Addr: netip.MustParseAddrPort("10.0.0.6:80"), Weight: 100},
	}}}}
	if diff := cmp.Diff(want, lists, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

// When gossip loses most of a pool at once, it is gossip that is broken: the checks alone count then, for a minute.
func TestAPoolIsNotEmptiedByGossipAlone(t *testing.T) {
	now := time.Unix(1000, 0)
	failedAt := func(at time.Time) func(*membership.Member) {
		return func(m *membership.Member) { m.State, m.Since = membership.StateFailed, at }
	}
	member := func(name string, how ...func(*membership.Member)) membership.Member {
		return agent(name, "web", "10.0.0."+name[1:]+":80", how...)
	}
	justNow, longAgo := failedAt(now.Add(-time.Second)), failedAt(now.Add(-doubtTime-time.Second))
	for _, tc := range []struct {
		what    string
		members []membership.Member
		up      string // names of those that the proxy finds well
		want    string
	}{
		{"one of three failed", []membership.Member{member("a1"), member("a2"), member("a3", justNow)}, "a1 a2 a3", "a1 a2"},
		{"all failed, and answer", []membership.Member{member("a1", justNow), member("a2", justNow)}, "a1 a2", "a1 a2"},
		{"all failed, one answers", []membership.Member{member("a1", justNow), member("a2", justNow)}, "a2", "a2"},
		{"two of three failed, and answer", []membership.Member{member("a1"), member("a2", justNow), member("a3", justNow)}, "a1 a2 a3", "a1 a2 a3"},
		{"half failed", []membership.Member{member("a1"), member("a2", justNow)}, "a1 a2", "a1"},
		{"all failed long ago", []membership.Member{member("a1", longAgo), member("a2", longAgo)}, "a1 a2", ""},
		{"all left", []membership.Member{member("a1", in(membership.StateLeft)), member("a2", in(membership.StateLeft))}, "a1 a2", ""},
	} {
		up := func(id string) bool { return slices.Contains(strings.Fields(tc.up), id) }
		lists, refused := poolLists([]ipc.StaticPool{{Name: "web"}}, tc.members, up, now)
		var got []string
		for _, b := range lists.Pools[0].Backends {
			got = append(got, b.ID)
		}
		if strings.Join(got, " ") != tc.want || len(refused) > 0 {
			t.Errorf("%s: %q, refused %v; want %q", tc.what, got, refused, tc.want)
		}
	}
}

// However many apps a liar announces, those that were there before stay, and the proxy can be told of all.
func TestAFloodOfAppsDisplacesNobody(t *testing.T) {
	var members []membership.Member
	for i := range maxBackends + 500 {
		members = append(members, agent(fmt.Sprintf("evil%05d", i), "web", fmt.Sprintf("10.1.%d.%d:80", i>>8&255, i&255), since(2000)))
	}
	for i := range 3 {
		members = append(members, agent(fmt.Sprintf("s%d", i), "web", fmt.Sprintf("10.0.0.%d:80", i+1), since(1000)))
	}
	began := time.Now()
	lists, refused := poolLists([]ipc.StaticPool{{Name: "web"}}, members, nobody, time.Unix(3000, 0))
	if n := len(lists.Pools[0].Backends); n > maxBackends || len(refused) < 503 {
		t.Errorf("%d are in the pool, %d refused", n, len(refused))
	}
	served := 0
	for _, b := range lists.Pools[0].Backends {
		if strings.HasPrefix(b.ID, "s") {
			served++
		}
	}
	if served != 3 {
		t.Errorf("%d of the 3 that were there before are left", served)
	}
	t.Logf("computed in %v", time.Since(began))
}

func TestAFloodOfBalancersDisplacesNobody(t *testing.T) {
	var members []membership.Member
	for i := range 500 {
		members = append(members, membership.Member{
			Name: fmt.Sprintf("a%03d", i), State: membership.StateAlive, Since: time.Unix(2000, 0),
			Meta: membership.Meta{Role: membership.RoleBalancer, AdvertAddr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 7947)},
		})
	}
	members = append(members, membership.Member{
		Name: "lb2", State: membership.StateAlive, Since: time.Unix(1000, 0),
		Meta: membership.Meta{Role: membership.RoleBalancer, AdvertAddr: netip.MustParseAddrPort("10.0.0.12:7947")},
	})
	got := balancers(members)
	if len(got) != maxBalancers || got[len(got)-1].Node != "lb2" {
		t.Errorf("%d are told, the last is %v", len(got), got[len(got)-1])
	}
}

func since(second int64) func(*membership.Member) {
	return func(m *membership.Member) { m.Since = time.Unix(second, 0) }
}
