// Package election decides which node holds a VIP.
//
// Every balancer runs one Machine per VIP group. A Machine is pure: it has no clock, goroutine, socket,
// logger or global; it is told what happened and when, and returns what to do. So the same Machine runs in a
// keeper and in thousands of simulated clusters, and for the same input it always gives the same output.
//
// The shell, which owns sockets, address and time, is one loop on one goroutine:
//
//	m, err := election.New(cfg, time.Now())
//	for {
//		select {
//		case a := <-adverts: // let through by Open and Filter.Accept
//			if h, ok := a.Heard(cfg.Group); ok {
//				do(m.Step(time.Now(), h))
//			}
//		case answer := <-answers: // Probed, Claimed, Released: Probe, Claim and Release run beside the loop
//			do(m.Step(time.Now(), answer))
//		case <-timer: // m.Deadline(): set it anew after each Step and Tick
//			do(m.Tick(time.Now())) // AFTER all that has been received
//		}
//	}
//
// Action says in what order do does what. A zero Deadline after Changed{To: Init} is the end.
//
// # What it promises
//
// In terms of the advert interval i, the network's delay d, w for the longest Claim or Release, and small
// change for the shell's wake-ups; the simulation checks it after every event (simcheck_test.go):
//
//   - Two nodes that hold the VIP and can hear each other do so for at most 2 × (3i + d) + 2w, when no more
//     than two adverts in a row are lost and Release works. Nodes that cannot hear each other may both hold it.
//   - When all nodes work and hear each other, exactly one is active, and stays so. A pair that loses its
//     active has another one after 4i + d + w; one that is asked to yield or to end hands over within 2w + d.
//   - Nobody claims who is not fit, nor who has heard an active within 4i that has not taken it back.
//   - Epochs only grow, and no transition is without a reason.
//
// Adverts are as trustworthy as their key: without one (Seal), whoever can send a datagram moves the VIP.
//
// # The rules
//
// Comments quote them by number.
//
//   - E1, adverts: every node, active or not, advertises each interval to all others. An advert speaks of all
//     groups: state, priority, epoch, fitness. Priority 0 asks the others to take over.
//   - E3, active means serving: an active that cannot serve yields if it knows a fit peer, and keeps the VIP
//     if not.
//   - E4, losing the active: its silence for 4 × its interval + skew; skew = rank × max(interval/2, 10 ms).
//     Rank 0 is the best of those still heard. A claim is told to the others before it is made, and while it
//     is under way they hold back.
//   - E7, yields: the VIP goes off first, then the yield is sent, three times, then the best peer claims at
//     once and the others wait for their skew. The restart of the last active is a yield, too.
//   - E8, epochs: each claim takes the highest epoch seen + 1. When two actives meet, the higher (epoch, rank)
//     stays and announces again; the other releases. When claims meet, the lower withdraws.
//   - E9, one rank: fitness bucket, priority, address. With Preempt the active yields to a peer that has been
//     better by fitness or priority for the hold-down; never for its address alone, which no client feels.
//   - E10, fitness: 0 to 255, compared in quarters.
//   - E11, cold start: Backup; the active-down interval begins when the seeds have been tried. Before a first
//     claim the wire is asked; a foreign owner means Fault, tried again. An active of ours once heard makes
//     the question unnecessary: the VIP is then known to belong to this cluster.
//   - E13, patience: a sender says how late it has been of late, and is given three times that. A backup that
//     overslept begins its active-down interval anew, once: what it did not hear while asleep proves nothing.
//   - E14: a node that becomes active tells a former one twice that it is, with Announce: when it hears it,
//     and when it has let go.
//
// Two choices of ours. Release comes before the yield, not with it: a released VIP has one owner at every
// moment, for the price of some microseconds; but a Release that hangs for an active-down interval yields
// anyway, since silence would have had the same effect. And Draining counts as holding the VIP until it says
// priority 0, so nobody claims in between.
package election
