package hook_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/hook"
)

var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func member(name, addr string, tags map[string]string) hook.Member {
	ap := netip.AddrPortFrom(netip.MustParseAddr(addr), 7946)
	apps := []hook.App{{Pool: "web", Addr: netip.AddrPortFrom(ap.Addr(), 3000), Weight: 100}}
	return hook.Member{Name: name, Role: "agent", Addr: ap, Apps: apps, Tags: tags}
}

func input(t *testing.T, e hook.Event, f hook.Format, self hook.Self) hook.Input {
	t.Helper()
	in, err := e.Input(f, self)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestAnEventIsOneLineOfJSONWithTheEssentialsInTheEnvironment(t *testing.T) {
	e := hook.Event{
		Name: hook.PoolBelowMinimum, Seq: 7, Time: at, Node: "lb1", Active: true, Pool: "web",
		Shortage: &hook.Shortage{Wanted: 3, Up: 0, Missing: 3},
	}
	in := input(t, e, hook.JSON, hook.Self{})
	want := `{"event":"pool-below-minimum","seq":7,"time":"2026-11-30T12:00:00Z","node":"lb1","active":true,"pool":"web","wanted":3,"up":0,"missing":3}` + "\n"
	if string(in.Stdin) != want {
		t.Errorf("standard input is\n%s, want\n%s", in.Stdin, want)
	}
	env := []string{
		"TANDEM_EVENT=pool-below-minimum", "TANDEM_NODE=lb1", "TANDEM_TIME=2026-11-30T12:00:00Z", "TANDEM_ACTIVE=true",
		"TANDEM_POOL=web", "TANDEM_WANTED=3", "TANDEM_UP=0", "TANDEM_MISSING=3",
	}
	if diff := cmp.Diff(env, in.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	var back hook.Event
	if err := json.Unmarshal(in.Stdin, &back); err != nil || back.Shortage == nil || *back.Shortage != *e.Shortage {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

func TestEveryKindOfEventHasItsOwnFieldsOnly(t *testing.T) {
	for _, tc := range []struct {
		e    hook.Event
		want string
		env  string
	}{
		{
			hook.Event{Name: hook.MemberJoin, Members: []hook.Member{member("web1", "10.0.0.21", map[string]string{"zone": "a"})}},
			`"members":[{"name":"web1","role":"agent","address":"10.0.0.21:7946","apps":[{"pool":"web","address":"10.0.0.21:3000","weight":100}],"tags":{"zone":"a"}}]`, "TANDEM_MEMBERS=web1",
		},
		{
			hook.Event{Name: hook.BackendDown, Pool: "web", Backend: "web1", Addr: netip.MustParseAddrPort("10.0.0.21:3000"), Reason: "connection refused"},
			`"pool":"web","backend":"web1","address":"10.0.0.21:3000","reason":"connection refused"`, "TANDEM_ADDRESS=10.0.0.21:3000",
		},
		{
			hook.Event{Name: hook.Active, Group: "default", VIPs: []netip.Addr{netip.MustParseAddr("10.0.0.42")}, From: "backup", Reason: "active-silent", Peer: "lb2", Epoch: 9},
			`"group":"default","vips":["10.0.0.42"],"from":"backup","reason":"active-silent","peer":"lb2","epoch":9`, "TANDEM_VIPS=10.0.0.42",
		},
		{
			hook.Event{Name: hook.User, UserEvent: "deploy", Payload: []byte("v1\x00"), Sender: "lb2"},
			`"name":"deploy","payload":"djEA","sender":"lb2"`, "TANDEM_USER_EVENT=deploy",
		},
	} {
		tc.e.Time, tc.e.Node = at, "lb1"
		in := input(t, tc.e, hook.JSON, hook.Self{})
		want := `{"event":"` + tc.e.Name + `","time":"2026-11-30T12:00:00Z","node":"lb1","active":false,` + tc.want + "}\n"
		if string(in.Stdin) != want {
			t.Errorf("%s is\n%s, want\n%s", tc.e.Name, in.Stdin, want)
		}
		if !slices.Contains(in.Env, tc.env) {
			t.Errorf("the environment of %s is %q, without %s", tc.e.Name, in.Env, tc.env)
		}
	}
}

func TestNoTextOfTheNetworkEndsAVariable(t *testing.T) {
	e := hook.Event{Name: hook.Fault, Reason: "a\x00b", Node: "lb1", Time: at}
	for _, v := range input(t, e, hook.JSON, hook.Self{}).Env {
		if strings.Contains(v, "\x00") {
			t.Errorf("%q cannot be given to a program", v)
		}
	}
}

func TestMembersAreLinesAsSerfWritesThem(t *testing.T) {
	lb := hook.Member{Name: "lb1", Role: "balancer", Addr: netip.MustParseAddrPort("10.0.0.11:7946")}
	e := hook.Event{Name: hook.MemberJoin, Members: []hook.Member{
		member("web1", "10.0.0.21", nil),
		member("web2", "fd42::22", map[string]string{"role": "shop", "zone": "a\tb"}),
		lb,
	}}
	in := input(t, e, hook.Serf, hook.Self{Name: "lb1", Tags: map[string]string{"dc": "east", "my-key": "v"}})
	want := "web1\t10.0.0.21\tweb\tpool=web,port=3000,role=web\n" +
		"web2\tfd42::22\tshop\tpool=web,port=3000,role=shop,zone=a\\tb\n" +
		"lb1\t10.0.0.11\tlb\trole=lb\n"
	if string(in.Stdin) != want {
		t.Errorf("standard input is\n%swant\n%s", in.Stdin, want)
	}
	env := []string{"SERF_EVENT=member-join", "SERF_SELF_NAME=lb1", "SERF_SELF_ROLE=lb", "SERF_TAG_ROLE=lb", "SERF_TAG_DC=east", "SERF_TAG_MY_KEY=v"}
	if diff := cmp.Diff(env, in.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestAUserEventInSerfsFormIsItsPayload(t *testing.T) {
	for payload, want := range map[string]string{"v1.2": "v1.2\n", "v1.2\n": "v1.2\n", "": ""} {
		e := hook.Event{Name: hook.User, Seq: 12, UserEvent: "deploy", Payload: []byte(payload)}
		in := input(t, e, hook.Serf, hook.Self{Name: "lb1", Tags: map[string]string{"role": "edge"}})
		if string(in.Stdin) != want {
			t.Errorf("payload %q is given as %q", payload, in.Stdin)
		}
		for _, v := range []string{"SERF_USER_EVENT=deploy", "SERF_USER_LTIME=12", "SERF_SELF_ROLE=edge", "SERF_TAG_ROLE=edge"} {
			if !slices.Contains(in.Env, v) {
				t.Errorf("the environment %q lacks %s", in.Env, v)
			}
		}
	}
	if _, err := (hook.Event{Name: hook.Active}).Input(hook.Serf, hook.Self{}); err == nil {
		t.Error("an event that Serf does not have was put into its form")
	}
}
