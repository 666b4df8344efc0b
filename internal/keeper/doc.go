// Package keeper is the parent process of a balancer, and its only one with rights: it
// runs the election, holds the VIPs, and keeps the control and the proxy process alive.
//
// It wires packages together and decides nothing: election says who is active, vip does
// what it says. The keeper parses nothing from the network but adverts, and ARP and NDP
// frames; whatever clients, apps or operators send is read by processes that own nothing.
//
// # Goroutines
//
// One goroutine, loop, owns the election's machines; everything else tells it what
// happened through one channel and never touches them. Slow actions (claim, release,
// probe) run in one goroutine per VIP group, in order, and come back as events. Adverts
// leave from a locked thread of their own, so that nothing that the loop does delays one.
// Datagrams are opened by whoever reads them, one at a time, and sealed by anybody (see trust).
// All of them are started in [Keeper.Run], which returns when all have ended.
//
// # The state channel
//
// Beside what machines say to each other for a planned move (election), keepers tell each
// other on it who their clients are, so that those of a lost node can be told to reconnect
// (tickle_linux.go), and whether what one forwards arrives at the other (selftest_linux.go).
//
// A node that only lost its link for longer than the active-down interval is taken for lost:
// the peer takes over and tells its clients, which come again at once, and when the link is
// back the node has lost the conflict (E8) and releases. Its idle connections do not survive,
// as they would if the peer forwarded to it until it is known to be gone.
//
// # Children
//
// Control and proxy are this same binary, started from /proc/self/exe without any
// capability, with no_new_privs, and under a user of their own wherever there is a second
// one. The keeper makes every socket that needs rights, keeps it, and passes it on: so
// whichever child dies, its successor serves the same queue of connections.
//
//	child dies    control: started again; the election does not notice
//	              proxy:   started again; meanwhile this node does not serve, and yields
//	                       to a fit peer
//	              runner:  started again; what it ran has failed
//	keeper dies   all children see the end of their socket: the proxy serves on for
//	              orphan_time, the others end; nobody here answers for the VIP any more,
//	              since the kernel is mute about it, and a peer takes it. A keeper that is
//	              started within that time adopts the proxy with its sockets and
//	              connections, and the VIP, mute, until the election has decided: to hold
//	              it again, or to drain and release it (E11; adopt_linux.go)
//
// Where hooks are configured there is a runner for each user that they run as (package
// runner, which says why). The keeper forks for it once, and not for an event. A reload tells it
// what it may run from then on, starts one for a user that had none, and leaves one without work
// to its end (reload_runners_linux.go).
//
// systemd is told when this balancer is ready, reloads or stops, what it does, and that its
// loop comes round (systemd.go).
//
// An operator may have the proxy replaced (tandem reload --proxy), and so does the keeper
// with an adopted one of another build or configuration: a second process with the same
// sockets warms up, takes its place, and the old one ends with its last connection
// (replace_linux.go). Only the one that serves counts for the election.
package keeper
