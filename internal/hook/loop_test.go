package hook_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
)

func TestProgramsAreServedInOrderAndAllHaveEndedWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan hook.Event, 8)
		for _, n := range []string{"a", "b", "c"} {
			events <- hook.Event{Name: hook.Fault, Reason: n}
		}
		close(events)
		var ran, ended []string
		hook.Serve(t.Context(), []hook.Rule{{Name: "h", Concurrency: 1, Queue: 2}}, events, func(_ context.Context, s hook.Started) hook.Result {
			time.Sleep(time.Second)
			ran = append(ran, s.Event.Reason)
			return hook.Result{Err: "no"}
		}, func(s hook.Started, r hook.Result) { ended = append(ended, s.Event.Reason+r.Err) }, func(rule string) { t.Error(rule, "lost an event") })
		if !slices.Equal(ran, []string{"a", "b", "c"}) || !slices.Equal(ended, []string{"ano", "bno", "cno"}) {
			t.Errorf("ran %v, ended %v", ran, ended)
		}
	})
}

func TestWhatRunsEndsWithWhoeverServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		events := make(chan hook.Event, 1)
		events <- hook.Event{Name: hook.Fault}
		hung := false
		hook.Serve(ctx, []hook.Rule{{Name: "h", Concurrency: 1, Queue: 2}}, events, func(ctx context.Context, _ hook.Started) hook.Result {
			<-ctx.Done()
			hung = true
			return hook.Result{}
		}, nil, nil)
		if !hung {
			t.Error("a program was left behind")
		}
	})
}
