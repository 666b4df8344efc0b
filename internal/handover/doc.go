// Package handover lets VIPs move from one node to another without breaking a connection,
// and lets the clients of a dead node know at once that theirs are gone.
//
// # A planned move, from A to B
//
// B is about to claim the VIPs; A has connections to them. B opens a [Table] before it
// claims: whatever then reaches B for a VIP, and is no connection of B's own, is sent on to
// A, which still has the address and the connection, and answers the client itself.
//
//	t, err := handover.Open(ctx, handover.Config{
//		Device: "eth0", VIPs: vips, Peers: addrsOfA, PeerMACs: macsOfA, Drain: 5 * time.Minute,
//	})
//	…                         // B tells A that it is ready, A falls silent, B claims
//	n, err := t.Stats()       // how many packets went on to A
//	err = t.Close()           // A has no connections left, or its time is up, or it died
//
// The table hangs on the interface's ingress and needs no connection tracking, forwarding
// sysctl, route or BPF. The rules stand above rules in rules_linux.go. It belongs to the
// process: the kernel removes it when that dies ([Stats].Owned; before Linux 5.12 it is
// left behind, so call [Clean] at start).
//
// The old owner must be mute about the VIPs, as package vip makes it: else its kernel asks for
// clients in the VIP's name, which moves their caches back, and over IPv6 the answers go to
// the new owner, and the old one cannot reply to anybody.
//
// The VIPs may move back while the table is there: then A opens one of its own towards B. A
// packet that one has sent to the other is never sent back, because frames from the other's
// hardware addresses are left alone. B opens a new table before it closes the old one when
// they come to it a third time. Three nodes that forward to each other in a ring would not
// see it: refuse a handover to a third node while a table is there.
//
// Whether all this works between two nodes depends on what is between them. [Lossless] finds
// out, with the peer's [Reflect].
//
// # A crash
//
// Connections that a process of the dead node terminated are lost. Their clients, if they
// wait for an answer, do not know, and would wait for their own timeout. So the active tells
// its peer who they are: a [Collector] lists them again and again and encodes what has
// changed; the peer keeps it in a [Book]. After its takeover the peer calls [Tickler.Fire]:
// one bare ACK in the name of each lost connection. It fits none that the client knows of, so
// the client answers with the state of its own (RFC 9293, section 3.10.7.4), to which the
// peer's kernel, that has no such connection, replies with a valid RST. The ACK is no more
// than a nudge to a connection that lives, or that nobody has. A stateful firewall on the way
// or on the peer may drop it, or the client's answer; then the client waits as it would have.
//
// # Limits
//
// Fragments of TCP but the first stay where they arrive: no port says whose they are. ICMP
// errors other than "too big" are for the new owner, which ignores them. A node that also
// reaches its clients through the peer, as a router, cannot forward for it.
//
// # Goroutines, locks and namespaces
//
// No goroutine outlives a call. All sockets are opened by [Open], [Clean], [NewCollector],
// [NewTickler], [Reflect] and [Lossless], in the network namespace of the calling thread, and
// keep it. A Table, a Book and a Tickler may be used by any goroutine, a Collector by one at
// a time.
package handover
