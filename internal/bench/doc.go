// Package main measures Tandem's promises beside its best peer, from outside, with real
// processes in a lab of namespaces (internal/lab).
//
//	go run ./internal/bench failover                       # every fault, 10 times, Tandem alone
//	go run ./internal/bench failover --peer keepalived     # the same, beside keepalived and HAProxy
//	go run ./internal/bench failover --json -n 3 --fault power-loss,node-freeze --interval 20ms,5ms
//	go run ./internal/bench overload --minutes 10 --interval 5ms
//
// Results go to standard output, a table or with --json one object (of overload, a list)
// and nothing else; a line per repetition goes to standard error, and with --logs what every
// daemon said goes to files. It runs as root or as an ordinary user. Exit code 0 means that
// every repetition could be carried out, whatever it measured. ^C ends it with what it has.
//
// # What is measured
//
// A client asks the VIP on a new connection every 2 ms (internal/lab/client), and a watcher
// sees who owns the VIP (internal/lab/owners). Neither asks a daemon anything. A repetition
// is: build a fresh site, wait until it serves calmly, inject the fault, hold it, undo it,
// and wait until the site serves calmly again.
//
//	outage       longest gap between two good answers that overlaps the time from the
//	             fault until it is undone
//	on return    longest such gap that begins after the undoing: what a thaw, a heal, or
//	             the return of a lost node costs
//	failed       requests without a good answer, of those due from the fault to the end
//	two owners   how long more than one host owned the VIP, over the same time
//	none         the longest time in which nobody owned it
//
// Sites are fresh each time, so that no repetition stands on what the one before left
// behind, and only one lab exists at a time. Repetitions of different stacks are
// interleaved and their order rotates, so that what else the machine does hits all alike.
// That is also why absolute numbers of a busy machine mean little, and ratios more. The
// fault called nothing is the control: what it shows is the machine's own doing.
//
// # Who is compared
//
// Everybody gets the same hosts, apps, load and faults: two balancers, three apps, a client
// on one switch. Tandem's apps join by themselves; HAProxy's are in its configuration.
// keepalived and HAProxy are Debian's packages, configured as their documents show
// (peer_conf.go), with adverts every 1 s (the default), every 0.1 s, and every 0.01 s at
// real-time priority. HAProxy is started again 100 ms after its end, as Debian's unit does.
// Killed VIP daemons are started again at the fault's end, on both sides. A stack is stopped
// in the order that is kindest: keepalived, which hands the VIP over, and then HAProxy.
//
// overload keeps every processor busy four times over while the client asks, with nothing
// broken: each change of the owner is a false alarm.
//
// # Parts
//
// Pure and portable: stats.go, report.go, plan.go, peer_conf.go, options.go. For Linux: site (the
// network and its observers), node and service (a host, its daemons), stack (what runs
// there), proc (whose process is whose), faults, trial (one repetition), failover, overload.
// The outer process builds the binary and makes the folder that it removes at the end; all
// else happens inside the lab, and ends with it. One goroutine, that of main, does everything
// but observe and restart HAProxy.
package main
