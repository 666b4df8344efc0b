package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

// script plays what happens to a plan, in steps of one word each, and writes down what the plan wants.
//
//	NAME+      it was started       NAME=CODE  it has ended with CODE      NAME!  it is ready
//	200ms      so much time passes  drain      the apps drain              stop   all are to be stopped
type script struct {
	t    *testing.T
	plan *plan
	now  time.Time
	said []string
}

func (s *script) name(i int) string { return s.plan.procs[i].Name }

func (s *script) play(steps string) string {
	for step := range strings.FieldsSeq(steps) {
		name, code, ended := strings.Cut(step, "=")
		i := s.plan.index(strings.TrimRight(name, "+!"))
		d, err := time.ParseDuration(step)
		switch {
		case ended:
			var n int
			fmt.Sscan(code, &n)
			if again, pause := s.plan.ended(i, n, s.now); again {
				s.said = append(s.said, fmt.Sprintf("%s:%v", name, pause))
			} else {
				s.said = append(s.said, name+":over")
			}
		case strings.HasSuffix(step, "+"):
			s.plan.started(i, s.now)
		case strings.HasSuffix(step, "!"):
			s.plan.isReady(i)
		case step == "drain":
			s.plan.drain()
		case step == "stop":
			s.plan.stop()
		case err == nil:
			s.now = s.now.Add(d)
		default:
			s.t.Fatalf("no step %q", step)
		}
		for _, i := range s.plan.toStart(s.now) {
			s.said = append(s.said, s.name(i)+"+")
			s.plan.started(i, s.now)
		}
		if s.plan.stopping {
			for _, i := range s.plan.toStop(s.now) {
				s.said = append(s.said, s.name(i)+"-")
			}
			for _, i := range s.plan.toKill(s.now) {
				s.said = append(s.said, s.name(i)+"#")
			}
		}
	}
	out := strings.Join(s.said, " ")
	s.said = nil
	return out
}

func proc(name string, change ...func(*config.Process)) config.Process {
	p := config.Process{
		Name: name, Restart: config.RestartAlways, MinBackoff: 100 * time.Millisecond, MaxBackoff: 400 * time.Millisecond, StopTimeout: time.Second,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func after(names ...string) func(*config.Process) {
	return func(p *config.Process) { p.After = names }
}

func restart(r config.Restart, limit int) func(*config.Process) {
	return func(p *config.Process) { p.Restart, p.Limit = r, limit }
}

func TestThePlanStartsInOrderRestartsByPolicyAndStopsInReverse(t *testing.T) {
	app := []config.App{{Process: "app"}}
	for _, tc := range []struct {
		what     string
		procs    []config.Process
		steps    string
		want     string
		finished bool
		exit     int
	}{
		{"all at once, in the order of the file", []config.Process{proc("b"), proc("app"), proc("a")}, "0s", "b+ app+ a+", false, 0},
		{
			"each when those before it are ready",
			[]config.Process{proc("app", after("db", "log")), proc("log"), proc("db", after("log"))},
			"0s log! 0s db! 5s", "log+ db+ app+", false, 0,
		},
		{
			"a restart does not restart what comes after",
			[]config.Process{proc("log"), proc("app", after("log"))},
			"0s log! log=1 100ms", "log+ app+ log:100ms log+", false, 0,
		},
		{
			"the pause doubles up to its bound, and begins anew after a long run",
			[]config.Process{proc("app")},
			"0s app=1 100ms app=1 200ms app=1 400ms app=1 400ms 399ms app=1 399ms 1ms 400ms app=0 99ms 1ms",
			"app+ app:100ms app+ app:200ms app+ app:400ms app+ app:400ms app+ app:400ms app+ app:100ms app+", false, 0,
		},
		{"on failure", []config.Process{proc("app", restart("on-failure", 0))}, "0s app=3 100ms app=0 1h", "app+ app:100ms app+ app:over", true, 0},
		{"never", []config.Process{proc("app", restart("never", 0))}, "0s app=9 1h", "app+ app:over", true, 9},
		{"up to a limit", []config.Process{proc("app", restart("always", 2))}, "0s app=9 100ms app=8 200ms app=7 1h", "app+ app:100ms app+ app:200ms app+ app:over", true, 7},
		{
			"a long run is no failure in a row",
			[]config.Process{proc("app", restart("always", 1))},
			"0s app=1 100ms 400ms app=1 100ms app=1 1h", "app+ app:100ms app+ app:100ms app+ app:over", true, 1,
		},
		{
			"what is no app may end for good",
			[]config.Process{proc("app", after("once")), proc("once", restart("never", 0))},
			"0s once=5 1h", "once+ once:over app+", false, 0,
		},
		{
			"stopped in reverse, and killed in the end",
			[]config.Process{proc("log"), proc("app", after("log")), proc("free")},
			"0s log! stop free=0 999ms 1ms app=137 log=143", "log+ free+ app+ app- free- free:over app# app:over log- log:over", true, 0,
		},
		{"who ends as asked has no code, another one has", []config.Process{proc("app")}, "0s stop app=143", "app+ app- app:over", true, 0},
		{"its own code", []config.Process{proc("app")}, "0s stop app=7", "app+ app- app:over", true, 7},
		{"nothing begins while it stops", []config.Process{proc("app"), proc("late", after("app"))}, "0s app=1 stop 1h", "app+ app:100ms", true, 0},
		{
			"an app that ends while it drains is not started again, others are",
			[]config.Process{proc("app"), proc("log")},
			"0s drain app=4 log=1 100ms", "app+ log+ app:over log:100ms log+", true, 4,
		},
	} {
		s := &script{t: t, plan: newPlan(tc.procs, app), now: time.Unix(1000, 0)}
		if got := s.play(tc.steps); got != tc.want {
			t.Errorf("%s: %s\n got %s\nwant %s", tc.what, tc.steps, got, tc.want)
		}
		code, finished := s.plan.finished()
		if s.plan.stopping {
			code = s.plan.exitCode()
		}
		if finished != tc.finished || code != tc.exit {
			t.Errorf("%s: finished %v with code %d, want %v with %d", tc.what, finished, code, tc.finished, tc.exit)
		}
	}
}

func TestThePlanWakesWhenSomethingIsDue(t *testing.T) {
	s := &script{t: t, plan: newPlan([]config.Process{proc("a"), proc("b")}, nil), now: time.Unix(1000, 0)}
	s.play("0s")
	if d := s.plan.deadline(); !d.IsZero() {
		t.Errorf("all run, but something is due at %v", d)
	}
	s.play("a=1 50ms b=1")
	if got := s.plan.deadline().Sub(s.now); got != 50*time.Millisecond {
		t.Errorf("a is due in %v, want 50ms", got)
	}
	s.play("1s stop 400ms")
	if got := s.plan.deadline().Sub(s.now); got != 600*time.Millisecond {
		t.Errorf("the end is due in %v, want 600ms", got)
	}
	if !slices.Equal(s.plan.toStop(s.now), nil) || s.plan.stopped() {
		t.Error("asked twice to stop, or stopped before the end")
	}
}
