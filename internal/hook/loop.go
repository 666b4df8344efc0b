package hook

import (
	"context"
	"sync"
)

// Serve starts programs as events come in, until ctx ends or events is closed; it returns
// when all programs have ended. run runs one of them, beside the others, and must end with
// ctx; ended is told of each, and dropped of each event that a rule lost, by one goroutine.
func Serve(ctx context.Context, rules []Rule, events <-chan Event, run func(context.Context, Started) Result, ended func(Started, Result), dropped func(rule string)) {
	type outcome struct {
		started Started
		result  Result
	}
	sched := NewScheduler(rules)
	over := make(chan outcome, MaxRunning) // room for all that can run, so that nobody waits when this has returned
	var work sync.WaitGroup
	defer work.Wait()
	for open := true; open || sched.Busy(); {
		for _, s := range sched.Start(nil) {
			work.Go(func() { over <- outcome{s, run(ctx, s)} })
		}
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events, open = nil, false
				continue
			}
			for _, name := range sched.Add(e) {
				dropped(name)
			}
		case o := <-over:
			sched.Ended(o.started.ID, o.result)
			ended(o.started, o.result)
		}
	}
}
