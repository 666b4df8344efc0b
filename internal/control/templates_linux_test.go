package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
	"github.com/tandem-lb/tandem/membership"
)

func TestATemplateSeesWhoIsInThePoolsAndNoCounters(t *testing.T) {
	web := membership.Member{
		Name: "web1", State: membership.StateAlive, Addr: netip.MustParseAddr("10.0.0.1"),
		Meta: membership.Meta{
			Role: membership.RoleAgent, Tags: map[string]string{"zone": "a"},
			Apps: []membership.App{{Pool: "web", Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 7}},
		},
	}
	gone := web
	gone.Name, gone.State = "web2", membership.StateFailed
	up := backendIn(web.AppID(0), "up")
	up.Requests = 99
	pic := picture{
		members: []membership.Member{web, gone}, proxy: proxyWith(up),
		keeper: &ipc.KeeperState{Groups: []ipc.GroupState{{State: "active", VIPs: []netip.Addr{netip.MustParseAddr("10.0.0.42")}}}},
	}
	lists, _ := poolLists([]ipc.StaticPool{{Name: "web", Backends: []ipc.StaticBackend{{Addr: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 100}}}}, pic.members, func(string) bool { return true }, time.Now())
	got := templateData("lb1", pic, lists)
	want := render.Data{
		Node: "lb1", Active: true, VIPs: []netip.Addr{netip.MustParseAddr("10.0.0.42")},
		Members: []render.Member{{Name: "web1", Role: "agent", Host: "10.0.0.1", Tags: web.Meta.Tags}},
		Pools: []render.Pool{{Name: "web", Backends: []render.Backend{
			{Name: "10.0.0.9:80", Host: "10.0.0.9", Port: 80, Weight: 100, State: "down"},
			{Name: web.AppID(0), Host: "10.0.0.1", Port: 80, Weight: 7, State: "up", Tags: web.Meta.Tags},
		}}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	pic.proxy.Pools[0].Backends[0].Requests = 100
	if diff := cmp.Diff(got, templateData("lb1", pic, lists), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("a request is news to a template:\n%s", diff)
	}
}

func TestATemplateIsRenderedWhenItsDataChangesAndAgainWhenThatFailed(t *testing.T) {
	node := make(chan string, 1)
	now := "one"
	p := newPrograms(&ipc.ControlStart{Templates: []ipc.Template{{Target: "/a.cfg", User: "u", Quiescence: 10 * time.Millisecond}}},
		slog.New(slog.DiscardHandler), func() (map[string]int, bool, bool) { return nil, false, false }, func() (render.Data, bool) {
			select {
			case now = <-node:
			default:
			}
			return render.Data{Node: now}, true
		})
	ctx, cancel := context.WithCancel(context.Background())
	go p.run(ctx)
	t.Cleanup(func() { cancel(); <-p.done })
	a, b, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ipc.New(a)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ipc.New(b)
	if err != nil {
		t.Fatal(err)
	}
	orders := make(chan *ipc.Render, 16)
	go ours.Run(ctx, func(m ipc.Message, _ []*os.File) { orders <- m.(*ipc.Render) })
	go p.link(ctx, "u", theirs)
	want := func(name, failed string) {
		t.Helper()
		select {
		case o := <-orders:
			var d render.Data
			if err := json.Unmarshal(o.Data, &d); err != nil || d.Node != name || o.Target != "/a.cfg" {
				t.Errorf("ordered %s of %s, %v; want %s", o.Target, o.Data, err, name)
			}
			if err := ours.Send(&ipc.Rendered{Target: o.Target, Changed: true, Error: failed}); err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("not rendered for %s within 20 s", name)
		}
	}
	want("one", "")
	node <- "two"
	want("two", "the check refuses it")
	want("two", "")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if f := (*p.files.Load())[0]; f.Changed == 3 && f.Failed == 1 && f.LastErr == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the counts are %+v", *p.files.Load())
		}
	}
}
