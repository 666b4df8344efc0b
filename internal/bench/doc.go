// Package main measures Tandem's promises beside its best peer, from outside, with real
// processes in a lab of namespaces (internal/lab).
//
//	go run ./internal/bench failover                       # every fault, 10 times, Tandem alone
//	go run ./internal/bench failover --peer keepalived     # the same, beside keepalived and HAProxy
//	go run ./internal/bench failover --json -n 3 --fault power-loss,node-freeze --interval 20ms,5ms
//	go run ./internal/bench failover --check -n 1          # fails when Tandem breaks a promise; CI's form
//	go run ./internal/bench table RUN.json                 # a saved --json as the table of deploy/docs/measured.md (as --table)
//	go run ./internal/bench handover --peer keepalived     # planned switches under load, and a crash under waiting clients
//	go run ./internal/bench docker                         # the site of deploy/docker, on Docker Engine
//	go run ./internal/bench apps -n 5 --peer serf          # an app joins, leaves, dies: beside Serf with HAProxy
//	go run ./internal/bench membership                     # hundreds of agents at once, and pools of thousands
//	go run ./internal/bench overload --minutes 10 --interval 5ms --quota 0.5
//
// Results go to standard output, a table or with --json one object (of overload, a list)
// and nothing else; a line per repetition goes to standard error, with the time at which the
// run will be over, and with --logs what every daemon said goes to files. It runs as root or
// as an ordinary user. Exit code 0 means that every repetition could be carried out, whatever
// it measured; with --check also that Tandem kept what it promises at any speed (check.go),
// and that it tells each change of state once, by the name of the fault (explain.go).
// ^C ends it with what it has, and so does the end of --within, between two repetitions.
//
// # What is measured
//
// A client asks the VIP on a new connection every 2 ms (internal/lab/client), and a watcher
// sees who owns the VIP (internal/lab/owners). Neither asks a daemon anything. A repetition
// is: build a fresh site, wait until it serves calmly, inject the fault (faults.go), hold it,
// undo it, and wait until the site serves calmly again. A Tandem is harmed when it has served
// for 5 s: before, a backup bears the silence of the active for longer, a second.
//
//	outage       longest gap between two good answers that overlaps the time from the
//	             fault until it is undone
//	on return    longest such gap that begins after the undoing: what a thaw, a heal, or
//	             the return of a lost node costs
//	failed       requests without a good answer, of those due from the fault to the end
//	two owners   how long more than one host owned the VIP, over the same time
//	none         the longest time in which nobody owned it
//	wrong cache  how long the client's ARP cache pointed at a host that did not own it, to
//	             15 ms; a host that lost its keeper may serve on meanwhile
//
// A fault lasts as long as it is said to, or else as long as the stack needs to notice what
// it notices at all: 2 s, and 4.5 s for adverts every second. It is over when the site has
// served calmly for 1.5 s without a break, and the stack is back where it always ends
// (keepalived preempts) or its time for that has passed: that of noticing and half a second;
// after a minute at most. So the sum of failed requests depends on these times, and the
// outages do not, where they are shorter.
//
// A thread is stopped as debuggers do it (ptrace). Which of a proxy's threads is a loop shows
// in the processor time that it has used; the keeper's sender has a name.
//
// Sites are fresh each time, so that no repetition stands on what the one before left
// behind, and only one lab exists at a time. Repetitions of different stacks are
// interleaved and their order rotates, so that what else the machine does hits all alike.
// That is also why absolute numbers of a busy machine mean little, and ratios more. The
// fault called nothing is the control: what it shows is the machine's own doing.
//
// # Planned switches
//
// handover has a crowd at work while the VIP moves in good order (internal/lab/client): a
// request on a new connection every 2 ms, 20 requests of 3 s each in flight, 10 clients on
// kept connections, 20 streams of messages that are compared, and an upload of which the
// hash is. What one of them does not get counts as failed. A move lasts from the order until
// the new owner answers on the wire. keepalived and HAProxy are stopped as gracefully as
// they can be: keepalived first, which hands the VIP over, then HAProxy by SIGUSR1, its soft
// stop, which may go on for 10 s. In a crash 20 clients wait for an answer when the active
// loses its power; each comes again when it learns that its connection is gone, and gives
// up after 15 s.
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
// Unless faults are named, the two faster settings go through those only in which the
// interval of adverts matters most, and faults of Tandem's own parts are Tandem's alone.
//
// overload keeps every processor busy four times over while the client asks, with nothing
// broken: each change of the owner is a false alarm. --quota limits each balancer as well,
// by cgroups, and gives it a busy loop of its own that exhausts it: so all of the balancer is
// stopped for the rest of each 100 ms, but for threads of real-time priority.
//
// # The proxy
//
// proxy measures what a request costs, beside HAProxy and nginx (Debian's haproxy and
// nginx-light), one proxy at a time: processor time from /proc of the process that carries
// the traffic, and of all processes of the product. A whole `tandem lb` runs, keeper and
// control with it. The proxy has one processor, generator and backend another, all in one
// fresh host per measurement, over its loopback device. X-Forwarded-For, counters and kept
// backend connections everywhere, checks where there are any, logs nowhere; HAProxy splices
// large bodies (proxy_conf.go). Ratios are made inside a repetition. Gate on them and on
// processor time: requests a second are the generator's limit as often as the proxy's.
//
// # Apps and members
//
// apps lets one of three apps go through its life while the client asks 500 times a second:
// it is stopped in order, started, killed, and its host loses power. Beside Tandem runs the
// teaching lab's own design, a Serf agent beside each app and each HAProxy, whose handler
// writes haproxy.cfg anew and reloads HAProxy (serf_linux.go), and HAProxy with its servers
// written down and its best retry-on. The benchmark builds Serf outside this repository, into
// the user's cache. First request served counts from before the app's processes are started.
//
// membership starts a pair and many agents, whose hosts are unplugged; plugs them in, has a
// third leave at once, and three of ten hosts lose power; and reads the pair's own status
// meanwhile. The agents of a host share its address: a kernel keeps no more than 1024
// neighbours of all its namespaces together. What go test measures in fake time and of single
// operations is printed with it. Pools: the processor time of a request with 5,000 backends
// against three, all of them one process, less what the checks cost without requests.
//
// # Parts
//
// Pure and portable: faults.go (which there are), check, forecast, stats, report, markdown,
// plan, peer_conf, options. For Linux: site (the network and its observers), neighbour (the
// client's cache), node and service (a host, its daemons), stack (what runs there), proc
// (whose process is whose), hang (a thread stands still), faults_linux.go (how they are
// done), trial (one repetition), failover, overload, quota; handover (a run), handover_orders
// (how each switch is ordered), handover_crash.
// Of apps: apps (events, options, report), and for Linux apps_linux.go, apps_stack, serf.
// Of membership: membership (options, report), and for Linux membership_linux.go, crowd (the
// agents), crowd_watch (the pair), pool.
// Of proxy: proxy (options, report), proxy_conf, and for Linux proxy_linux.go (who runs
// where), proxy_load (the generator), proxy_backend, proxy_usage.
// The outer process builds the binary and makes the folder that it removes at the end; all
// else happens inside the lab, and ends with it. One goroutine, that of main, does everything
// but observe, restart HAProxy, and hold threads.
//
// # Docker
//
// docker builds the image of deploy/docker, has the site of its compose.yaml run under names
// of its own, and scales, stops, kills, pauses and disconnects its containers while a client
// in one more container asks the VIP, on a new connection every 4 ms. It also looks for the
// keys wherever Docker shows something. It needs Docker Engine and Compose; it pulls nothing.
package main
