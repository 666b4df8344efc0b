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
//		select { // after each wake-up FIRST of all: Paused, if this process stood still for PauseAfter
//		case a := <-adverts: // let through by Open; one with an Echo is an answer, any other one passes Filter.Accept
//			if h, ok := a.Heard(cfg.Group); ok { // or Answered
//				do(m.Step(time.Now(), h))
//			}
//		case answer := <-answers: // Probed, Claimed, Released: Probe, Claim and Release run beside the loop
//			do(m.Step(time.Now(), answer))
//		case <-timer: // m.Deadline(): set it anew after each Step and Tick
//			do(m.Tick(time.Now())) // AFTER all that has been received
//		}
//	}
//
// Action says in what order do does what. A zero Deadline after Changed{To: Init} is the end. A shell that
// never says Answered, Received, Stations, Hearing, Isolated, Gone or Paused has an election by adverts alone.
//
// # What it promises
//
// In terms of the advert interval i, the network's delay d, w for the longest Claim or Release, p for the
// patience (4i, or i + 3 × the lateness of late, at most max(1 s, 10i); for an active heard for less than
// NewFor, max(4i, 1 s) at least), and small change for the shell's
// wake-ups. The simulation checks it after every event, with clocks that are wrong by 1 % (simcheck_test.go):
//
//   - Two nodes that answer for the VIP and can hear each other do so for at most 2 × (3i + d) + 2w, when no
//     more than two adverts in a row are lost and Release works; where only members that relay can tell the one of
//     the other, for at most 2 × (10i + 2d) + 2w (10i: 100 ms at least). Nodes that cannot hear each other in any
//     way may both hold it.
//   - When all nodes work and hear each other, exactly one is active, stays so, and is the one that clients on
//     the segment send to. A pair that loses its active has another one after p + d + w, or after one round of
//     questions when the kernel told of it (E7); one that is asked to yield or to end hands over within 2w + d.
//   - An active that another node knows, and that could answer it by any path that loses nothing, is not taken
//     over, whatever becomes of its adverts. (The exception is E7: see there.)
//   - An active that can exchange frames neither with any station on the VIP's segment nor with a certain node
//     there has yielded within 7u/4 + 4i + w (u = UsefulAfter) and what is left of a hold-down, if that node can
//     exchange frames with every station, and either side's adverts, or members that relay, reach the other. Who
//     can exchange frames with every station for 2u never yields for this reason.
//   - Each group keeps all this by itself, whatever the other groups of its nodes do, and with Preempt each ends
//     with its own best node: groups of the same priorities move as one, others are spread.
//   - Nobody claims a VIP that it has not known to be this cluster's before the wire was asked, nor against the
//     answer of a stranger.
//   - A node that is deaf does not claim, where anybody but balancers was heard of late.
//   - A paused node says nothing about the VIP before it knows what happened meanwhile.
//   - Nobody claims who is not fit, nor who has heard an active within 4i that has not taken it back, unless
//     its keeper is reported dead and it does not answer.
//   - Epochs only grow, and no transition is without a reason.
//
// Adverts are as trustworthy as their key: without one (Sessions, Seal), whoever can send a datagram moves
// the VIP.
//
// # The rules
//
// Comments quote them by number.
//
//   - E1, adverts: every node, active or not, advertises each interval to all others. An advert speaks of all
//     groups: state, priority, epoch, fitness. Priority 0 asks the others to take over.
//   - E2, trust: adverts and questions are sealed under a session of the two nodes (Sessions).
//   - E3, active means serving: an active that cannot serve yields if it knows a fit peer, and keeps the VIP
//     if not. Where what serves only stands still, this is a handover, but one that waits for an answer no longer
//     than half a second.
//   - E4, losing the active: its silence for 4 × its interval + skew; skew = rank × max(interval/2, 10 ms).
//     Rank 0 is the best of those still heard. From the first missed advert on it is asked each half interval,
//     by every path (all are, by who knows of none); an answer is worth an advert, and the path by which it came becomes the heartbeat until
//     adverts come again. A claim is told to the others before it is made, and while it is under way they
//     hold back.
//   - E5, proof of reception: with the first question goes one to the stations on the VIP's segment. No frame
//     of theirs, no claim, and Fault one interval later. A bare pair has nobody to ask; who was asked to take
//     over need not.
//   - E6, useful and not only alive: a backup asks the active on the VIP's segment, too, four times in u =
//     UsefulAfter (1 s, or 10i if that is more), and twenty times in it once an answer is missing. When none has
//     come for u, while stations there have answered this node and it hears more than the active says of
//     itself, it complains, by every path. The active asks the stations, too, for u/4, before it believes a
//     complaint; then it yields. "More" is the gateway, or more than twice as many stations: so a node that
//     can only hear, or only send, has no say, and two nodes that cannot hear each other but everybody else
//     stay as they are. Who yields for this says so, and then hearing comes before rank. Nothing is forwarded
//     to a node that is out of reach, so it releases the VIP, and clients learn that their connections are gone.
//   - §9, handover: a planned move loses no connection, where the shell can keep an address in silence, forward,
//     and speak with the other keeper; above MessageKind stands how, and what each failure means. Otherwise the
//     VIP goes off first, then the yield is sent.
//   - E7, fast signals. Yields: the VIP goes off first, then the yield is sent, three times, then the best peer
//     claims at once and the others wait for their skew. The restart of the last active is a yield, too. Gone
//     shortens the wait to one round of questions, twice as long as any answer of that node took; where none
//     is known, and one is asked for each second, nothing is shortened. An active whose answer takes longer
//     than ever before at the very moment of a false signal is taken over needlessly.
//   - E8, epochs: each claim takes the highest epoch seen + 1. An active asks everybody each 10i (100 ms at least), by
//     members, too, so that it meets another one whose adverts do not arrive. When two actives meet, the higher (epoch, rank)
//     stays and announces again, and once more when the other has let go; that one is mute at once, and drains as
//     after a handover, if the winner can forward to it: the winner announces when it does. When claims meet, the
//     lower withdraws.
//   - E9, one rank: fitness bucket, priority, address. The active yields to a peer that has been better by
//     fitness, or with Preempt by priority, for the hold-down; never for its address alone, which no client feels.
//     Who has the VIP by a voluntary move (that, or E6) makes none for the hold-down.
//   - E10, fitness: 0 to 255, compared in quarters.
//   - E11, cold start: Backup; the active-down interval begins when the seeds have been tried and each balancer
//     has been heard that members know of, or after SettleTimeout. Until then everybody is asked as by an active
//     (E8). Before a first
//     claim the wire is asked; a foreign owner means Fault, tried again. An active of ours once heard makes
//     the question unnecessary: the VIP is then known to belong to this cluster.
//   - E12, isolation: a node that hears nobody on the segment, where it once did, is in Fault. An active keeps
//     the address there, fenced; heard again, it claims by the ordinary rule if nobody else did.
//   - E13, patience: a node's silence is borne for i + 3 × the worst of what it says of its own lateness, of
//     how late its adverts came in the last 5 to 10 s, and of how late this node itself woke up. A backup that
//     overslept begins its active-down interval anew, once: what it did not hear while asleep proves nothing.
//     The active that was first heard less than NewFor (5 s) ago, in this boot of it, has shown nothing of its
//     lateness yet, and a start is when a machine is busiest: its silence is borne for 1 s, or 4i if that is more.
//     It is asked no later than any other, and E7 is as quick.
//   - E14, pauses: an active that stood still is fenced, and asks. It goes on when all who were there before
//     have answered, or after an active-down interval; a claim under way is void, and so is a proof of reception.
//     A node that becomes active tells a former one twice that it is, with Announce: when it hears it, and when it
//     has let go.
//
// Choices of ours. Release comes before the yield, not with it: a released VIP has one owner at every
// moment, for the price of some microseconds; but a Release that hangs for an active-down interval yields
// anyway, since silence would have had the same effect. And Draining counts as holding the VIP until it says
// priority 0, so nobody claims in between.
//
// A node that was never told of a Hearing asks nobody on the segment and complains of nobody: so it is where
// the VIP is on no segment at all. Where it is, but questions there are never answered (a firewall), complaints
// come to nothing, since the active hears as much. E15 (votes) is not here.
package election
