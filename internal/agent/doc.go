// Package agent is what stands behind "tandem agent": it runs beside web apps, or as their parent, and tells the
// balancers where the apps are for as long as they are well.
//
// It promises:
//   - An app is announced only while its check passes, locally; every change reaches each balancer directly over TCP,
//     with gossip as the second path.
//   - Processes are started in order, each when those that it comes after are ready. One that ends is started again as
//     its policy says, after a pause that grows while it keeps failing; if it is an app, that is un-announced at once.
//     When an app's process is not to be started again, the agent ends, with its exit code.
//   - On SIGTERM or SIGINT the apps drain: they are announced so and serve on until each balancer says that it sends
//     nothing more and has nothing under way, or the drain time is over. Then the processes are stopped, those that
//     others come after last, and the agent leaves the cluster. A second such signal ends everything at once. Other
//     signals are passed on to the processes that are apps.
//   - As process 1 of a container it reaps orphans. If the agent is killed, so is what it runs (Pdeathsig).
//   - What the processes print is passed on, in whole lines with the process's name where there are several. The newest
//     lines are kept in a ring of bounded size, which balancers may read (see Security), and sent to a collector
//     if there is one; neither ever holds up a process.
//   - An app can change its weight, and drain, on a unix socket: HTTP with JSON, see socket.go.
//
// Use:
//
//	cfg, err := config.LoadAgent(file, flags)
//	signals := make(chan os.Signal, 8)
//	signal.Notify(signals, agent.Signals()...)
//	code, err := agent.Run(ctx, agent.Config{Agent: *cfg}, signals)
//
// # Security
//
// Who holds a gossip key can say that it is a balancer, and the other apps hold it too. So the log is told, over
// encrypted gossip, only to one that signs its question with a key derived from the balancer key, whose public half
// stands in the agent's gossip key file (package talk, proof.go). That keeps out whoever asks; who holds a gossip key
// and can listen between the two decrypts what it hears all the same. What else a false balancer can do to an agent:
// tell it about requests under way, and so hold its end up until the drain time is over.
//
// What runs when is decided in plan.go, which is pure. One goroutine (loop) owns all state; who else wants something of
// it hands it a function. Run owns all its goroutines and the processes, and returns when all have ended.
package agent
