package hook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tandem-lb/tandem/internal/hook"
)

func joins(names ...string) hook.Event {
	e := hook.Event{Name: hook.MemberJoin, Time: at, Node: "lb1"}
	for _, n := range names {
		e.Members = append(e.Members, member(n, "10.0.0.21", nil))
	}
	return e
}

func leaves(name string) hook.Event {
	e := joins(name)
	e.Name = hook.MemberLeave
	return e
}

func below(pool string, up int) hook.Event {
	return hook.Event{Name: hook.PoolBelowMinimum, Pool: pool, Node: "lb1", Shortage: &hook.Shortage{Wanted: 3, Up: up, Missing: 3 - up}}
}

// told is what programs were started with, in short.
func told(runs []hook.Started) string {
	var all []string
	for _, r := range runs {
		words := []string{r.Event.Name}
		for _, m := range r.Event.Members {
			words = append(words, m.Name)
		}
		if s := r.Event.Shortage; s != nil {
			words = append(words, r.Event.Pool, fmt.Sprint(s.Up))
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, "; ")
}

func wantTold(t *testing.T, runs []hook.Started, want string) {
	t.Helper()
	if got := told(runs); got != want {
		t.Errorf("started %q, want %q", got, want)
	}
}

func TestABurstOfJoinsWhileAHandlerRunsIsOneMoreRunOfIt(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 1, Queue: 4}})
	s.Add(joins("a"))
	first := s.Start(nil)
	wantTold(t, first, "member-join a")
	for _, n := range []string{"b", "c", "d", "b", "e", "f"} {
		s.Add(joins(n))
	}
	wantTold(t, s.Start(nil), "") // one at a time
	s.Ended(first[0].ID, hook.Result{At: at})
	wantTold(t, s.Start(nil), "member-join b c d e f")
	if st := s.Stats()[0]; st.Dropped != 0 || st.Runs != 1 || st.Running != 1 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWhatHappenedBetweenTwoJoinsStaysBetweenThem(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 1, Queue: 8}})
	s.Add(joins("z"))
	run := s.Start(nil)
	for _, e := range []hook.Event{joins("a"), joins("b"), leaves("a"), joins("c"), joins("a")} {
		s.Add(e)
	}
	var all []string
	for len(run) > 0 {
		all = append(all, told(run))
		s.Ended(run[0].ID, hook.Result{})
		run = s.Start(nil)
	}
	if got := strings.Join(all, "; "); got != "member-join z; member-join a b; member-leave a; member-join c a" {
		t.Errorf("started %q", got)
	}
}

func TestMergingLeavesWhatAnotherHookWaitsForAlone(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "slow", Concurrency: 1, Queue: 4}, {Name: "fast", Concurrency: 4, Queue: 4}})
	s.Add(joins("a"))
	s.Start(nil)
	e := joins("b")
	s.Add(e)
	wantTold(t, s.Start(nil), "member-join b") // the fast one's
	s.Add(joins("c"))
	wantTold(t, s.Start(nil), "member-join c")
	if len(e.Members) != 1 {
		t.Errorf("the event has become %v", e.Members)
	}
}

func TestAMergedEventNamesAtMostSoManyMembers(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 1, Queue: 4}})
	s.Add(joins("first"))
	run := s.Start(nil)
	for i := range 2*hook.MaxMembers + 10 {
		s.Add(joins(fmt.Sprint("m", i)))
	}
	s.Ended(run[0].ID, hook.Result{})
	var sizes []int
	for run = s.Start(nil); len(run) > 0; run = s.Start(nil) {
		sizes = append(sizes, len(run[0].Event.Members))
		s.Ended(run[0].ID, hook.Result{})
	}
	if !slices.Equal(sizes, []int{hook.MaxMembers, hook.MaxMembers, 10}) {
		t.Errorf("runs with %v members", sizes)
	}
}

func TestAFullQueueLosesItsOldestEventAndCountsIt(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 1, Queue: 2}, {Name: "other", Events: []string{hook.Active}, Concurrency: 1, Queue: 2}})
	s.Add(hook.Event{Name: hook.Fault})
	run := s.Start(nil)
	var dropped []string
	for _, reason := range []string{"1", "2", "3", "4"} {
		dropped = append(dropped, s.Add(hook.Event{Name: hook.Fault, Reason: reason})...)
	}
	if !slices.Equal(dropped, []string{"h", "h"}) || s.Stats()[0].Dropped != 2 || s.Stats()[0].Waiting != 2 {
		t.Errorf("dropped of %v, %+v", dropped, s.Stats()[0])
	}
	s.Ended(run[0].ID, hook.Result{})
	if run = s.Start(nil); len(run) != 1 || run[0].Event.Reason != "3" {
		t.Errorf("then %+v is started, want the third", run)
	}
}

func TestANewerShortageTakesThePlaceOfTheOneThatWaits(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 1, Queue: 8}})
	s.Add(hook.Event{Name: hook.Active})
	run := s.Start(nil)
	s.Add(below("web", 2))
	s.Add(below("api", 1))
	s.Add(below("web", 0))
	s.Add(hook.Event{Name: hook.PoolMinimumMet, Pool: "api", Shortage: &hook.Shortage{Wanted: 3, Up: 3}})
	var all []string
	for len(run) > 0 {
		s.Ended(run[0].ID, hook.Result{})
		run = s.Start(nil)
		all = append(all, told(run))
	}
	if got := strings.Join(all, "; "); got != "pool-below-minimum web 0; pool-minimum-met api 3; " {
		t.Errorf("started %q", got)
	}
}

func TestAHookGetsWhatItAsksForAndOnlyOnTheActiveIfItSaysSo(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{
		{Name: "some", Events: []string{hook.Backup, hook.Fault}, Concurrency: 9, Queue: 9},
		{Name: "active", ActiveOnly: true, Concurrency: 9, Queue: 9},
	})
	s.Add(hook.Event{Name: hook.Backup})
	s.Add(hook.Event{Name: hook.Active, Active: true})
	var got []string
	for _, r := range s.Start(nil) {
		got = append(got, fmt.Sprint(r.Rule, r.Event.Name))
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"0backup", "1active"}) {
		t.Errorf("started %v", got)
	}
}

func TestAHookThatNobodyCanRunWaits(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "a", Concurrency: 1, Queue: 4}, {Name: "b", Concurrency: 1, Queue: 4}})
	s.Add(joins("x"))
	if run := s.Start(func(rule int) bool { return rule == 1 }); len(run) != 1 || run[0].Rule != 1 {
		t.Errorf("started %+v, want the second alone", run)
	}
	if run := s.Start(nil); len(run) != 1 || run[0].Rule != 0 {
		t.Errorf("then %+v, want the first", run)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{{Name: "h", Concurrency: 3, Queue: 9}})
	for range 3 {
		s.Add(hook.Event{Name: hook.Fault})
	}
	run := s.Start(nil)
	for i, r := range []hook.Result{{Err: "exit status 1", At: at}, {Err: "killed", TimedOut: true, At: at}, {At: at}} {
		if name := s.Ended(run[i].ID, r); name != "h" {
			t.Errorf("ended: %q", name)
		}
	}
	want := hook.Stats{Name: "h", Runs: 3, Failed: 2, TimedOut: 1, Last: at, LastErr: "killed"}
	if got := s.Stats()[0]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if name := s.Ended(run[0].ID, hook.Result{}); name != "" || s.Stats()[0].Runs != 3 {
		t.Errorf("a program that does not run has ended: %q, %+v", name, s.Stats()[0])
	}
}

func TestOtherRulesKeepWhatWaitsAndWhatRuns(t *testing.T) {
	s := hook.NewScheduler([]hook.Rule{
		{Name: "stays", Concurrency: 1, Queue: 4}, {Name: "goes", Concurrency: 1, Queue: 4}, {Name: "shrinks", Concurrency: 1, Queue: 4},
	})
	for i := range 4 { // the first one runs, three wait
		s.Add(hook.Event{Name: hook.Fault, Seq: uint64(i)})
		if i == 0 {
			wantTold(t, s.Start(nil), "fault; fault; fault")
		}
	}
	dropped := s.Set([]hook.Rule{
		{Name: "fresh", Concurrency: 1, Queue: 4}, {Name: "shrinks", Events: []string{hook.Active}, Concurrency: 1, Queue: 1}, {Name: "stays", Concurrency: 2, Queue: 4},
	})
	if diff := cmp.Diff(map[string]int{"goes": 3, "shrinks": 2}, dropped); diff != "" {
		t.Errorf("events dropped (-want +got):\n%s", diff)
	}
	run := s.Start(nil) // of stays, which may run two now
	if len(run) != 1 || run[0].Rule != 2 || run[0].Event.Seq != 1 {
		t.Errorf("started %+v, want the oldest that waits for the third rule", run)
	}
	for id, name := range map[uint64]string{1: "stays", 2: "goes", 3: "shrinks"} {
		if got := s.Ended(id, hook.Result{}); got != name {
			t.Errorf("program %d was of %q, want %q", id, got, name)
		}
	}
	s.Add(hook.Event{Name: hook.Fault, Seq: 9})
	var got []string
	for run := s.Start(nil); len(run) > 0; run = s.Start(nil) {
		for _, r := range run {
			got = append(got, fmt.Sprint(s.Stats()[r.Rule].Name, " ", r.Event.Seq))
			s.Ended(r.ID, hook.Result{})
		}
	}
	slices.Sort(got)
	if want := []string{"fresh 9", "shrinks 3", "stays 2", "stays 3", "stays 9"}; !slices.Equal(got, want) {
		t.Errorf("then started %q, want %q", got, want)
	}
	if st := s.Stats(); st[1].Dropped != 2 || st[1].Runs != 2 || st[2].Runs != 4 || st[2].Running != 1 {
		t.Errorf("counts %+v", st)
	}
}

// Whatever comes in whatever order: no bound is broken, nothing is lost but what is counted,
// and what one hook is told is in order.
func TestTheSchedulerKeepsItsBoundsAndItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := []hook.Rule{
			{Name: "a", Concurrency: rapid.IntRange(1, 3).Draw(t, "concurrency"), Queue: rapid.IntRange(1, 5).Draw(t, "queue")},
			{Name: "b", Events: []string{hook.Fault, hook.Active}, Concurrency: 40, Queue: 100},
		}
		s := hook.NewScheduler(rules)
		var running []hook.Started
		newest := make([]uint64, len(rules))
		wanted, started := make([]uint64, len(rules)), make([]uint64, len(rules))
		for seq := uint64(1); seq < 80; seq++ {
			name := rapid.SampledFrom([]string{hook.Fault, hook.Active, hook.Backup}).Draw(t, "event")
			s.Add(hook.Event{Name: name, Seq: seq})
			wanted[0]++
			if name != hook.Backup {
				wanted[1]++
			}
			if rapid.Bool().Draw(t, "set") { // the same names, with another bound
				rules[0].Queue = rapid.IntRange(1, 5).Draw(t, "queue")
				s.Set(rules)
			}
			if rapid.Bool().Draw(t, "start") {
				for _, r := range s.Start(nil) {
					if r.Event.Seq <= newest[r.Rule] {
						t.Fatalf("rule %d is told of %d after %d", r.Rule, r.Event.Seq, newest[r.Rule])
					}
					newest[r.Rule] = r.Event.Seq
					started[r.Rule]++
					running = append(running, r)
				}
			}
			for len(running) > 0 && rapid.Bool().Draw(t, "end") {
				i := rapid.IntRange(0, len(running)-1).Draw(t, "which")
				s.Ended(running[i].ID, hook.Result{})
				running = slices.Delete(running, i, i+1)
			}
			if len(running) > hook.MaxRunning {
				t.Fatalf("%d run", len(running))
			}
			for i, st := range s.Stats() {
				if st.Running > rules[i].Concurrency || st.Waiting > rules[i].Queue {
					t.Fatalf("%+v of %+v", st, rules[i])
				}
				if started[i]+uint64(st.Waiting)+st.Dropped != wanted[i] {
					t.Fatalf("%d events: %d started, %+v", wanted[i], started[i], st)
				}
			}
		}
	})
}
