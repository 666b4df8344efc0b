package control

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

func proxyWith(backends ...ipc.BackendState) *ipc.ProxyState {
	return &ipc.ProxyState{Listed: true, Pools: []ipc.PoolState{{Name: "web", Backends: backends}}}
}

func backendIn(id, state string) ipc.BackendState {
	return ipc.BackendState{ID: id, State: state, Addr: netip.MustParseAddrPort("10.0.0.1:80")}
}

func TestABackendIsUpOrDownWhenThatIsNews(t *testing.T) {
	was := proxyWith(backendIn("stays", "up"), backendIn("falls", "up"), backendIn("rises", "down"), backendIn("drains", "up"),
		backendIn("drained", "drain"), backendIn("left", "up"), backendIn("left-down", "down"))
	is := proxyWith(backendIn("stays", "up"), backendIn("falls", "down"), backendIn("rises", "up"), backendIn("drains", "drain"),
		backendIn("drained", "down"), backendIn("fresh", "down"), backendIn("fresh-up", "up"))
	var got []string
	for _, e := range backendEvents(was, is, time.Now()) {
		got = append(got, e.Name+" "+e.Backend)
	}
	want := []string{"backend-down falls", "backend-up rises", "backend-down drained", "backend-up fresh-up", "backend-down left"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := backendEvents(is, is, time.Now()); len(got) != 0 {
		t.Errorf("nothing has changed, and %v is raised", got)
	}
}

// runnerEnd is the other end of a runner's link.
type runnerEnd struct {
	conn    *ipc.Conn
	orders  chan *ipc.RunHook
	renders chan *ipc.Render
	hungUp  chan struct{} // closed when the link has ended
}

func (e *runnerEnd) order(t *testing.T) *ipc.RunHook {
	t.Helper()
	select {
	case o := <-e.orders:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no hook was ordered within 20 s")
		return nil
	}
}

func startPrograms(t *testing.T, start *ipc.ControlStart) (*programs, func() *runnerEnd) {
	t.Helper()
	p := newPrograms(start, slog.New(slog.DiscardHandler), func() (map[string]int, bool, bool) { return nil, true, true }, func() (render.Data, bool) { return render.Data{}, false })
	ctx, cancel := context.WithCancel(context.Background())
	go p.run(ctx)
	t.Cleanup(func() { cancel(); <-p.done })
	return p, func() *runnerEnd {
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
		end := &runnerEnd{conn: ours, orders: make(chan *ipc.RunHook, 64), renders: make(chan *ipc.Render, 64), hungUp: make(chan struct{})}
		go func() {
			defer close(end.hungUp)
			ours.Run(ctx, func(m ipc.Message, _ []*os.File) {
				switch m := m.(type) {
				case *ipc.RunHook:
					end.orders <- m
				case *ipc.Render:
					end.renders <- m
				}
			})
		}()
		go p.link(ctx, "u", theirs)
		return end
	}
}

func TestAnEventReachesTheRunnerOfItsHookAndTheOutcomeIsCounted(t *testing.T) {
	p, connect := startPrograms(t, &ipc.ControlStart{Node: "lb1", Hooks: []ipc.Hook{
		{Name: "h", Events: []string{hook.Fault}, Format: "json", User: "u", Concurrency: 1, Queue: 4},
	}})
	p.tell(hook.Event{Name: hook.Active})
	p.tell(hook.Event{Name: hook.Fault, Reason: "first"}) // before there is a runner
	end := connect()
	o := end.order(t)
	if o.Hook != "h" || !strings.Contains(string(o.Stdin), `"reason":"first"`) || !strings.Contains(string(o.Stdin), `"node":"lb1"`) {
		t.Errorf("ordered %+v with %s", o, o.Stdin)
	}
	if err := end.conn.Send(&ipc.HookEnded{ID: o.ID, Error: "exit status 1"}); err != nil {
		t.Fatal(err)
	}
	p.tell(hook.Event{Name: hook.Fault, Reason: "second"})
	end.order(t)

	// The runner dies with a program: that has failed, and what waits is for the next runner.
	p.tell(hook.Event{Name: hook.Fault, Reason: "third"})
	end.conn.Close()
	end = connect()
	if o = end.order(t); !strings.Contains(string(o.Stdin), `"reason":"third"`) {
		t.Errorf("ordered %s", o.Stdin)
	}
	for give := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		h := p.hooks()[0]
		if h.Runs == 2 && h.Failed == 2 && h.Running == 1 && h.LastErr != "exit status 1" {
			return
		}
		if time.Now().After(give) {
			t.Fatalf("the counts are %+v", h)
		}
	}
}

func TestAShortageIsRaisedOnceTheProxyAndTheSeedsAreKnown(t *testing.T) {
	p := &Process{}
	p.pic.keeper = &ipc.KeeperState{Groups: []ipc.GroupState{{Name: "a", State: "active"}, {Name: "b", State: "backup"}}}
	if _, _, known := p.upNow(); known {
		t.Error("nothing has been heard of the proxy, and the pools' backends are known")
	}
	p.pic.proxy, p.settled = proxyWith(backendIn("a", "up"), backendIn("b", "down"), backendIn("c", "drain")), true
	if up, active, known := p.upNow(); !known || !active || up["web"] != 1 {
		t.Errorf("up %v, active %v, known %v", up, active, known)
	}
	p.pic.proxy.Listed = false
	if _, _, known := p.upNow(); known {
		t.Error("the proxy has no lists yet, and the pools' backends are known")
	}
	p.pic.keeper.Groups[0].State = "backup"
	if _, active, _ := p.upNow(); active {
		t.Error("the active one of another group raises")
	}
}
