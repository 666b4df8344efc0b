// Package hook decides which programs an event starts, and runs them within bounds.
//
// An [Event] is something that happened to the cluster, to a pool or to this node. It
// reaches a program as JSON on its standard input and as a few environment variables, or
// in Serf's form ([Serf]), so that handlers written for Serf run as they are.
//
// The decisions are pure: a [Scheduler] holds what waits for each hook, how many of its
// programs run, and what became of them; [Minimum] says when a pool is short of backends.
// Neither has a clock, a goroutine or a lock: one goroutine of a shell owns them.
//
//	sched := hook.NewScheduler(rules)
//	sched.Add(event)                    // waits for each hook that wants it
//	for _, run := range sched.Start() { // what may begin now
//		go func() { ended <- hook.Run(ctx, program(run)) }()
//	}
//	sched.Ended(run.ID, result)         // room for the next; Start again
//
// What waits is bounded, and what a burst leaves waiting is merged: adjacent events of one
// kind about members become one with all of them, and a newer shortage of a pool takes the
// older one's place. So a hundred joins while a handler runs are one more run of it, in
// the order in which things happened. Nothing is tried again: a program that fails has
// failed, which is logged and counted. [Scheduler.Set] puts other rules in place, of which
// those of the same name keep what waits for them.
//
// [Run] is the thin shell: a process group of its own, killed as a whole when its time is
// over, with an environment that is given and nothing of the caller's, and output that is
// kept up to a bound. Who runs it, and without which rights, is the caller's business:
// see package runner for a balancer's hooks, and the keeper for those that move a VIP.
//
// The package imports nothing of ours.
package hook
