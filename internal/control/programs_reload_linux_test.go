package control

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
)

func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
	}
	return v
}

func faults(name string) ipc.Hook {
	return ipc.Hook{Name: name, Events: []string{hook.Fault}, Format: "json", User: "u", Concurrency: 1, Queue: 4}
}

func TestAReloadKeepsWhatWaitsAndNumbersTheOrders(t *testing.T) {
	p, connect := startPrograms(t, &ipc.ControlStart{Node: "lb1", Hooks: []ipc.Hook{faults("h"), faults("goes")}})
	end := connect()
	p.tell(hook.Event{Name: hook.Fault, Reason: "first"})
	old := map[string]*ipc.RunHook{}
	for range 2 {
		o := end.order(t)
		if old[o.Hook] = o; o.Programs != 0 {
			t.Errorf("ordered %+v before a reload", o)
		}
	}
	p.tell(hook.Event{Name: hook.Fault, Reason: "second"})
	p.tell(&ipc.ControlStart{Node: "lb1", Programs: 5, Hooks: []ipc.Hook{faults("fresh"), faults("h")}})
	p.tell(hook.Event{Name: hook.Fault, Reason: "third"})
	if o := end.order(t); o.Hook != "fresh" || o.Programs != 5 || !strings.Contains(string(o.Stdin), "third") {
		t.Errorf("ordered %+v with %s, want the new hook for what came after it", o, o.Stdin)
	}
	for _, name := range []string{"goes", "h"} { // what runs ends, whether its hook is still there or not
		if err := end.conn.Send(&ipc.HookEnded{ID: old[name].ID}); err != nil {
			t.Fatal(err)
		}
	}
	if o := end.order(t); o.Hook != "h" || o.Programs != 5 || !strings.Contains(string(o.Stdin), "second") {
		t.Errorf("ordered %+v with %s, want what waited", o, o.Stdin)
	}
}

func TestARunnerIsHungUpOnWhenAllIsToldOfAUserWithoutHooks(t *testing.T) {
	p, connect := startPrograms(t, &ipc.ControlStart{Hooks: []ipc.Hook{faults("h")}})
	end := connect()
	p.tell(hook.Event{Name: hook.Fault})
	o := end.order(t)
	p.tell(&ipc.ControlStart{Programs: 1})
	p.tell(hook.Event{Name: hook.Fault})
	answered := make(chan string, 1)
	p.tell(&trial{next: &ipc.ControlStart{Programs: 2}, answer: func(failed string) { answered <- failed }})
	await(t, "answer", answered) // so all before it has been taken in
	select {
	case <-end.hungUp:
		t.Fatal("the link has ended while a program runs")
	default:
	}
	if err := end.conn.Send(&ipc.HookEnded{ID: o.ID}); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the link", end.hungUp)
}

func TestTemplatesThatAreDifferentAreTriedAndThenMade(t *testing.T) {
	same, other := ipc.Template{Target: "/same", User: "u", Version: "1"}, ipc.Template{Target: "/other", User: "u", Version: "1"}
	p, connect := startPrograms(t, &ipc.ControlStart{Templates: []ipc.Template{same, other}})
	other.Version = "2"
	try := func(number uint64) chan string {
		answered := make(chan string, 1)
		next := &ipc.ControlStart{Programs: number, Templates: []ipc.Template{same, other}}
		p.tell(&trial{next: next, answer: func(failed string) { answered <- failed }})
		return answered
	}
	first := try(3) // its runner comes later
	end := connect()
	o := await(t, "trial", end.renders)
	if o.Target != "/other" || !o.Trial || o.Programs != 3 {
		t.Errorf("ordered %+v", o)
	}
	end.say(t, &ipc.Rendered{Programs: 3, Trial: true, Target: o.Target, Error: "a.tmpl:2: no"})
	if got := await(t, "answer", first); got != "template for /other: a.tmpl:2: no" {
		t.Errorf("told %q", got)
	}

	given := try(3)
	await(t, "trial", end.renders)
	p.tell(trialOver{})
	end.say(t, &ipc.Rendered{Programs: 3, Trial: true, Target: o.Target, Error: "late"})
	second := try(4)
	await(t, "trial", end.renders)
	end.say(t, &ipc.Rendered{Programs: 3, Trial: true, Target: o.Target, Error: "of the one before"})
	end.say(t, &ipc.Rendered{Programs: 4, Trial: true, Target: o.Target})
	if got := await(t, "answer", second); got != "" {
		t.Errorf("told %q of a template that is accepted", got)
	}
	select {
	case got := <-given:
		t.Errorf("a reload that was given up is answered: %q", got)
	default:
	}
}

func TestWithOtherPoolsEachTemplateIsTried(t *testing.T) {
	now := &ipc.ControlStart{Pools: []ipc.StaticPool{{Name: "web"}}, Templates: []ipc.Template{{Target: "/a", Version: "1"}}}
	for _, c := range []struct {
		pools []ipc.StaticPool
		want  int
	}{{now.Pools, 0}, {nil, 1}, {append(now.Pools, ipc.StaticPool{Name: "api"}), 1}} {
		tr := &trial{next: &ipc.ControlStart{Pools: c.pools, Templates: now.Templates}}
		if tr.begin(now); len(tr.left) != c.want {
			t.Errorf("with the pools %v %d are tried, want %d", c.pools, len(tr.left), c.want)
		}
	}
}

func (e *runnerEnd) say(t *testing.T, m ipc.Message) {
	t.Helper()
	if err := e.conn.Send(m); err != nil {
		t.Fatal(err)
	}
}

func TestATemplateGoesOnUnderAnotherDefinition(t *testing.T) {
	before := templates([]ipc.Template{{Target: "/a", Version: "1"}, {Target: "/b", Version: "1"}, {Target: "/c", Version: "1"}}, nil)
	before[1].state.Changed = 7
	after := templates([]ipc.Template{{Target: "/new", Version: "1"}, {Target: "/b", Version: "2", Quiescence: time.Minute}, {Target: "/a", Version: "1"}}, before)
	if !after[0].fresh || !after[1].fresh || after[2].fresh {
		t.Errorf("fresh: %v %v %v, want the new and the different one", after[0].fresh, after[1].fresh, after[2].fresh)
	}
	if after[1].state.Changed != 7 || after[1].when.Quiescence != time.Minute {
		t.Errorf("the one that is different has become %+v", after[1])
	}
}
