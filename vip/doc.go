// Package vip holds virtual addresses on one network interface.
//
// A [Claimer] holds one group of addresses (VIPs) which move as one. Claim adds
// them to the interface and announces them to the neighbours; Release takes them
// away; in between Run keeps them: it extends their lease, repeats the
// announcements, puts back what something else deleted, and reports whoever
// else claims them. The package decides nothing about who should be active.
//
//	ifi, err := vip.Find(addr, "")          // the interface of the VIP's subnet
//	link, err := vip.OpenLink(ifi)          // netlink
//	wire, err := vip.OpenWire(ifi)          // ARP and NDP
//	c, err := vip.NewClaimer(vip.Config{Addrs: []netip.Addr{addr}}, link, wire, log)
//	go c.Run(ctx)                           // keeps what is claimed, until ctx ends
//	err = c.Claim(ctx)                      // returns once the first announcement is out
//	for ev := range c.Events() { … }        // Conflict, Lost, Expired, LinkDown, LinkUp
//	err = c.Release(ctx)
//
// # Promises
//
//   - Claim is whole: either every address is on the interface and announced, or,
//     after an error, none is there. It takes well under a millisecond.
//   - A process that stops renewing stops owning: the kernel itself removes the
//     addresses when their lease (2 s) has run out. A process that overslept its
//     lease does not grab the addresses back: it lets go and says [Expired].
//   - After Release has returned, no address is left and nothing more is sent.
//   - An address which something else deleted is back within milliseconds of the
//     kernel's notice, announced, and reported as [Lost].
//   - Run begins by removing what a killed earlier run left behind, and never
//     touches an address which it did not make: a permanent VIP on the interface
//     is an error that names the remedy.
//   - Neither IPv4 nor IPv6 VIPs are chosen by the node as source of its own
//     connections: they are added deprecated, as /32 and /128.
//
// # How it works
//
// The kernel answers ARP requests and neighbour solicitations for the addresses
// that are on the interface; this package announces them (RFC 5227, 2.3, in the
// request form; RFC 4861, 7.2.6, with the override flag), probes (RFC 5227, 2.1.1;
// RFC 4862, 5.4.2), listens, and defends against strangers at most once in ten
// seconds (RFC 5227, 2.4 (c)).
//
// Netlink events are hints, not facts. After each one, and every half second, the
// Claimer reads the interface's state and compares. So an event lost to a full
// socket buffer, a late one, and the echo of our own deletion are all harmless.
// For the same reason [Link] has no Renew beside Add: the kernel's request is the
// same one, and it adds a missing address whatever the caller meant by it.
//
// Time is the monotonic clock, by which the kernel counts leases, too.
//
// # Limits
//
// A process that is stopped (SIGSTOP) cannot let go: the kernel answers for the
// address until its lease ends. While a whole machine is suspended neither clock
// runs, so on waking the claim still looks good. The MAC of [Interface] is read
// once: an interface that changes it needs a new Link and Wire. Only Ethernet.
//
// # Goroutines, locks and namespaces
//
// Constructors start nothing. [Claimer.Run] starts the wire's reader and the
// netlink watch and returns when both have ended. One operation at a time touches
// link and wire, whether it comes from Run or from a caller; [Claimer.Status]
// never waits for one.
//
// All sockets are opened by [OpenLink] and [OpenWire], in the network namespace of
// the thread that calls them, and keep it: afterwards any goroutine may use them.
// [Find] looks at the calling thread's namespace as well.
package vip
