package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/render"
	"github.com/tandem-lb/tandem/lbcore/route"
)

var update = flag.Bool("update", false, "write what is printed into testdata/script; read the diff before you commit it")

func TestMain(m *testing.M) {
	lab.Init() // a script may run a command that has the lab start it again
	testscript.Main(m, map[string]func(){"tandem": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			return errors.Join(serveExample(env, filepath.Join(env.WorkDir, "control.sock")), serveLeaver(env, filepath.Join(env.WorkDir, "agent.sock")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND… runs a command and checks its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// serveExample answers the admin API on path with a status made up here, for the length
// of one script.
func serveExample(env *testscript.Env, path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- (&api.Server{Status: example, Cluster: exampleCluster, MembersOf: exampleMembers, ReplaceProxy: replaced, Reload: reloaded, Keys: exampleKeys, Join: joined, SetBackend: setBackend, Event: told, TemplateData: exampleData, Timeline: exampleTimeline, Why: exampleWhy, Logs: exampleLogs, Routes: exampleRoutes}).Serve(ctx, l)
	}()
	env.Defer(func() {
		stop()
		if err := <-done; err != nil {
			env.T().Log(err)
		}
	})
	return nil
}

// serveLeaver is an agent that has left by the second time that it is asked how far it is.
func serveLeaver(env *testscript.Env, path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	srv := &http.Server{Handler: mux}
	said := func(stage string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"name": "web1", "stage": %q}`, stage) }
	}
	mux.HandleFunc("POST /v1/leave", said("draining"))
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		said("leaving")(w, r)
		l.Close() // which removes the socket
	})
	go srv.Serve(l)
	env.Defer(func() { srv.Close() })
	return nil
}

func exampleData(context.Context) (any, error) {
	return render.Data{Node: "lb1", Pools: []render.Pool{{Name: "web", Backends: []render.Backend{{Name: "web1", Host: "10.0.0.21", Port: 3000, Weight: 100, State: "up"}}}}}, nil
}

func exampleMembers(_ context.Context, node string) ([]api.Member, error) {
	if node != "lb2" {
		return nil, &api.Error{Message: fmt.Sprintf("no balancer is called %q", node), Remedy: "'tandem status --cluster' names them"}
	}
	return []api.Member{{Name: "web9", Role: "agent", State: "suspect"}}, nil
}

func exampleRoutes() []api.Routes {
	return []api.Routes{{Frontend: ":80", Listen: ":80", Pool: "web", Rules: []route.Rule{{Name: "old", Prefixes: []string{"/old"}, ReplacePrefix: "/"}}}}
}

func replaced(_ context.Context, node string) (api.Done, error) {
	if node == "lb2" {
		return api.Done{}, &api.Error{Message: "an order for another balancer must be proven, and this one has no balancer key"}
	}
	return api.Done{Message: "the proxy (process 102) was replaced by process 103"}, nil
}

// reloaded changes the same everywhere, but on lb4, which has another file.
func reloaded(_ context.Context, node string, dryRun bool) (api.Reload, error) {
	if node == "lb4" {
		return api.Reload{}, &api.Error{Message: "[[vip]] cannot change while the balancer runs", Remedy: "restart it"}
	}
	r := api.Reload{Message: "1 change in effect", Changes: []api.Change{{Key: "frontend.:81", What: "added", Live: true, Text: "+ frontend.:81"}}}
	if dryRun {
		r.Message = "a reload would bring 1 change into effect"
	}
	return r, nil
}

// exampleKeys holds the old key 0b6c…, which lb2 has no other than.
func exampleKeys(_ context.Context, o api.KeyOrder) (api.Keys, error) {
	const old, fresh = "0b6c5a8d1e2f3a4b", "77aa01c2d3e4f506"
	k := api.Keys{Holders: []api.KeyHolder{
		{Name: "lb1", Addr: netip.MustParseAddrPort("192.168.42.11:7946"), Keys: []string{old, fresh}, Kept: true},
		{Name: "lb2", Addr: netip.MustParseAddrPort("192.168.42.12:7946"), Keys: []string{old}},
	}, Failed: []string{"web3"}}
	switch {
	case o.Do == "add" && len(o.Key) == 32:
		k.Added = fresh
	case o.Do != "list":
		k.Error = o.Do + " " + o.Fingerprint + ": refused since lb2"
	}
	return k, nil
}

func setBackend(_ context.Context, o api.BackendOrder) (api.Done, error) {
	if o.Backend == "web9" {
		return api.Done{}, &api.Error{Message: "there is no backend \"web9\"", Remedy: "'tandem status' shows all backends"}
	}
	if o.Weight != nil {
		return api.Done{Message: fmt.Sprintf("%s in web has weight %d", o.Backend, *o.Weight)}, nil
	}
	return api.Done{Message: o.Backend + " in web: " + o.State}, nil
}

func joined(_ context.Context, seeds []string) (api.Done, error) {
	return api.Done{Message: "joined through " + strings.Join(seeds, " and ")}, nil
}

func told(_ context.Context, e api.Event) (api.Done, error) {
	return api.Done{Message: "5 members have taken " + e.Name + " " + string(e.Payload)}, nil
}

func example() api.Status {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return api.Status{
		Node: "lb1", Version: "1.2.3", At: now, Since: now.Add(-90 * time.Second), AdvertInterval: 20 * time.Millisecond,
		Groups: []api.Group{{
			Name: "default", VIPs: []netip.Addr{netip.MustParseAddr("192.168.42.42")}, Interface: "eth1", State: "active",
			Since: now.Add(-time.Minute), Reason: "active-silent lb2", Why: "lb2 was active and fell silent.", Active: "lb1", Epoch: 7, Priority: 100, Fitness: 255,
			Answers: api.Answers{IPv4: "keeper", IPv6: "none", Given: 12, Refused: 1}, Degraded: "relay",
			Peers: []api.Peer{{Node: "lb2", Addr: netip.MustParseAddr("192.168.42.12"), State: "backup", HeardAgo: 12 * time.Millisecond, Priority: 90, Fitness: 212}},
		}},
		Processes: []api.Process{
			{Name: "keeper", PID: 100, Since: now.Add(-90 * time.Second), Ready: true, CapEff: "0000000000003400", RSSBytes: 15 << 20},
			{Name: "proxy", PID: 102, Since: now.Add(-5 * time.Second), Restarts: 2, Ready: true, UID: 61948, OwnUser: true, CapEff: "0000000000000000", NoNewPriv: true, RSSBytes: 20 << 20, Doing: "serving", Clients: 7},
			{Name: "proxy", PID: 101, Since: now.Add(-time.Minute), Ready: true, UID: 61948, OwnUser: true, CapEff: "0000000000000000", NoNewPriv: true, RSSBytes: 20 << 20, Doing: "draining", Clients: 3},
		},
		Frontends: []api.Frontend{{Name: ":80", Requests: 1234, Current: 5, Status: map[string]uint64{"2xx": 1230, "5xx": 4}, Errors: map[string]uint64{"source_rate": 7, "maxconn": 2, "aborted": 1}}},
		Pools: []api.Pool{{Name: "web", Policy: "roundrobin", RetriesRefused: 12, EjectionsRefused: 1, Backends: []api.Backend{
			{ID: "web1", Addr: netip.MustParseAddrPort("192.168.42.21:3000"), State: "up", Since: now.Add(-49 * time.Hour), Weight: 100, Requests: 700, Ejections: 2},
			{ID: "web2", Addr: netip.MustParseAddrPort("192.168.42.22:3000"), State: "down", Since: now.Add(-2 * time.Second), Reason: "connection refused", Why: "Its check fails: connection refused.", Weight: 50, Errors: 3, ByHand: &api.ByHand{Weight: 50, Who: "uid 0 (process 300)", Node: "lb2", At: now.Add(-time.Hour)}},
		}}},
		Outside:   []api.Outside{{Member: "web3", App: "web3", Pool: "web", Why: "Its agent does not announce it: the app does not run there, or its check fails."}},
		Templates: []api.Template{{Target: "/etc/haproxy/haproxy.cfg", Changed: 2, Failed: 1, Last: now.Add(-time.Minute)}},
		Hooks: []api.Hook{
			{Name: "join.sh", Runs: 12, Failed: 2, TimedOut: 1, Running: 1, Waiting: 3, Last: now.Add(-time.Minute), LastErr: "exit status 1"},
			{Name: "notify"},
		},
		Members: []api.Member{
			{Name: "lb1", Role: "balancer", State: "alive", Addr: netip.MustParseAddrPort("192.168.42.11:7946")},
			{Name: "web1", Role: "agent", State: "alive", Addr: netip.MustParseAddrPort("192.168.42.21:7946"), Apps: []api.App{{Pool: "web", Addr: netip.MustParseAddrPort("192.168.42.21:3000"), Weight: 100, Drain: true}}, Tags: map[string]string{"zone": "a", "app": "shop"}},
		},
	}
}

// exampleLogs has two lines of web1, each on a page of its own.
func exampleLogs(_ context.Context, q api.LogQuery) (api.LogPage, error) {
	if q.Node != "web1" {
		return api.LogPage{}, &api.Error{Message: "no member called " + q.Node + " is there", Remedy: "'tandem members' names them"}
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	page := api.LogPage{Node: "web1", Run: "r", Next: 1, More: true, Lines: []api.LogLine{{Seq: 1, Time: at, Process: "app", Stream: "out", Text: "listening on :3000"}}}
	if q.Run == "r" && q.After == 1 {
		page.Next, page.More = 2, false
		page.Lines = []api.LogLine{{Seq: 2, Time: at.Add(time.Second), Process: "app", Stream: "err", Text: "\x1b[31mred\x1b[0m and \abell", Cut: true}}
	}
	return page, nil
}

func exampleTimeline(_ context.Context, q api.TimelineQuery) (api.Timeline, error) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	all := []api.Entry{
		{
			Seq: 1, Time: at, Node: "lb1", Kind: "state", Group: "default", From: "backup", To: "active", Reason: "active-silent", Peer: "lb2", Epoch: 7,
			Phases: &api.Phases{Detect: 20400 * time.Microsecond, Decide: 70 * time.Millisecond, Claim: 251 * time.Microsecond, Announce: 90 * time.Microsecond},
		},
		{Seq: 2, Time: at.Add(time.Second), Node: "lb1", Kind: "member", Subject: "lb2", To: "failed", Detail: "balancer at 192.168.42.12"},
		{Seq: 3, Time: at.Add(2 * time.Second), Node: "lb1", Kind: "backend", Group: "web", Subject: "web2", From: "up", To: "down", Detail: "connection refused"},
		{Seq: 4, Time: at.Add(3 * time.Second), Node: "lb1", Kind: "process", Subject: "proxy", From: "serving", To: "draining", Detail: "process 101"},
		{Seq: 5, Time: at.Add(4 * time.Second), Node: "lb1", Kind: "order", Subject: "handover to lb1", To: "refused", Who: "uid 0 (process 200)", Detail: "lb1 is active already"},
	}
	all = slices.DeleteFunc(all, func(e api.Entry) bool {
		return e.Time.Before(q.Since) || e.Seq <= q.After[e.Node] || !q.Until.IsZero() && !e.Time.Before(q.Until) || q.Node != "" && e.Node != q.Node || len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind)
	})
	return api.Timeline{Node: "lb1", At: at, Entries: all[max(0, len(all)-cmp.Or(q.Limit, len(all))):], Nodes: []api.NodeTimeline{
		{Node: "lb1", Entries: 5},
		{Node: "lb2", Age: 12 * time.Second, Error: "it is not there: gossip says failed"},
		{Node: "lb3", ClockOffset: 1234567890, ClockExact: 345678},
		{Node: "lb4", ClockOffset: 200000, ClockExact: 345678, Cut: true},
	}}, nil
}

func exampleWhy(ctx context.Context, of, node string) (api.Story, error) {
	if of != "" && of != "192.168.42.42" {
		return api.Story{}, &api.Error{Message: fmt.Sprintf("there is no VIP or group %q here", of), Remedy: "'tandem status' names them"}
	}
	t, err := exampleTimeline(ctx, api.TimelineQuery{Kinds: []string{"state", "member"}, Node: node})
	return api.Story{
		Headline: "lb1 became active for group default at 2026-11-22 12:00:00.000 UTC (epoch 7)",
		Events:   t.Entries, Nodes: t.Nodes,
		Why: "lb2 was active and fell silent.", Sure: []string{"4 adverts were missed"}, Took: []string{"20ms until it was noticed"}, Next: []string{"is lb2 up?"},
	}, err
}

func TestEveryCommandHasHelpAndKnowsItsPlace(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Short == "" {
			t.Errorf("%s has no short help", c.Name())
		}
		if !c.Hidden && c.GroupID == "" && c.Name() != "help" && c.Name() != "completion" {
			t.Errorf("%s stands in no group of the help", c.Name())
		}
	}
}
