// Package demo shows the main job on one machine: two balancers, three apps and
// a client in a network of namespaces, and five faults under load.
//
// It prints nothing that a daemon said of itself. Outages, requests and failures
// are what the client saw (internal/lab/client); who is active, and how many
// own the VIP at once, is counted on the wire and in the hosts' kernels
// (internal/lab/owners); whether a process lives or a port is listened on, the
// kernel says.
//
// The five faults, in this order, each with a window that lasts until the next:
//
//	power-loss      the active balancer's host loses power
//	power-back      it returns, with its daemons
//	app-stop        SIGTERM to one app's agent: it leaves in order
//	app-start       the agent is started again
//	clean-shutdown  SIGTERM to the active balancer: it hands the VIP over, drains and ends
//
// A window lasts at least [windowMin] and until the site is calm again: one
// owner, the apps that should answer do, nothing failed for a while, nothing
// hangs. Every request that ended in it counts, so each counts to the last fault
// that struck before it ended; the outage is the longest gap between two good
// answers that overlaps the time from the fault until calm. [Report.Verdict] says
// which of that is not good enough.
//
// [Run] has to be called inside a lab (lab.Enter). It owns every goroutine and
// process it starts and has ended them when it returns.
package demo
