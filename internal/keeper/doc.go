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
// All of them are started in [Keeper.Run], which returns when all have ended.
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
//	keeper dies   both children see the end of their socket: the proxy serves on for
//	              orphan_time, control leaves the cluster; nobody here answers for the VIP
//	              any more, since the kernel is mute about it, and a peer takes it
package keeper
