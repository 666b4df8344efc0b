// Package agent is what stands behind "tandem agent": it runs beside a web app, or as its parent, and tells the
// balancers where the app is for as long as the app is well.
//
// It promises:
//   - The app is announced only while its check passes, locally; every change reaches each balancer directly over TCP,
//     with gossip as the second path.
//   - A command that ends is un-announced at once and started again, after a pause that grows while it keeps failing.
//   - On SIGTERM or SIGINT the app is drained (announced as such, serving on), then stopped, and the agent leaves the
//     cluster; a second such signal ends everything at once. Other signals are passed on to the app.
//   - As process 1 of a container it reaps orphans. If the agent is killed, so is the app (Pdeathsig).
//
// Use:
//
//	signals := make(chan os.Signal, 8)
//	signal.Notify(signals, agent.Signals()...)
//	code, err := agent.Run(ctx, agent.Config{Pool: "web", Port: 3000, Join: seeds, Command: args}, signals)
//
// Run owns all its goroutines and the app's process, and returns when all have ended.
package agent
