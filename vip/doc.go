// Package vip holds virtual addresses on one network interface.
//
// A [Claimer] holds one group of addresses (VIPs) which move as one. Claim adds
// them to the interface and announces them to the neighbours; Release takes them
// away; in between Run keeps them: it answers for them, extends their lease, repeats
// the announcements, puts back what something else deleted, and reports whoever
// else claims them. The package decides nothing about who should be active.
//
//	ifi, err := vip.Find(addr, "")             // the interface of the VIP's subnet
//	link, err := vip.OpenLink(ifi)             // netlink
//	wire, err := vip.OpenWire(ifi)             // ARP and NDP
//	muter, err := vip.OpenMuter(ifi, "web", addr) // nftables
//	gate := vip.NewGate(limit, advertInterval)
//	c, err := vip.NewClaimer(vip.Config{
//		Addrs: []netip.Addr{addr}, Muter: muter, Gate: gate.Allow,
//	}, link, wire, log)
//	go c.Run(ctx)                              // keeps what is claimed, until ctx ends
//	gate.Stamp()                               // again and again, from the loop that decides
//	err = c.Claim(ctx)                         // returns once the first announcement is out
//	for ev := range c.Events() { … }           // Conflict, Lost, Expired, LinkDown, LinkUp
//	err = c.Release(ctx)                       // an orderly end: this, then end ctx and wait
//	err = c.Unmute(ctx)                        // for Run, and let the kernel speak again
//	err = errors.Join(muter.Close(), wire.Close(), link.Close())
//
// # Promises
//
//   - A dead owner lets go. With a [Muter] the kernel never answers for the addresses,
//     nor speaks in their name; the Claimer does. A process that was killed, hangs, or
//     is frozen owns nothing from that moment on, though the addresses are still on its
//     interface, and on waking it says nothing before its loop has come round ([Gate]).
//   - Claim is whole: either every address is on the interface and announced, or,
//     after an error, none is there. It takes well under a millisecond.
//   - After Release, or Mute, has returned nothing more is said: no answer, no
//     announcement, no defence. After Release no address is left.
//   - An address which something else deleted is back within milliseconds of the
//     kernel's notice, announced, and reported as [Lost].
//   - Run begins by muting the kernel, then removes (or adopts) what a killed earlier run
//     left behind, and never touches an address which it did not make: a permanent VIP on
//     the interface is an error that names the remedy.
//   - Neither IPv4 nor IPv6 VIPs are chosen by the node as source of its own
//     connections: they are added deprecated, as /32 and /128.
//
// # Modes
//
// By address family, in [Status]: [ModeKeeper] as above; and [ModeLease] without a Muter,
// or where the kernel or this process's rights cannot do it, with the reason. There the
// kernel answers for what is on the interface, and the lease (2 s, renewed every 500 ms)
// is what makes a dead owner let go; a stopped process cannot, before it ends. A process
// that overslept its lease does not grab the addresses back: it lets go and says
// [Expired]. With ModeKeeper for the whole group the lease is only a broom for what a
// crash left: 60 s, renewed every 10 s. A group in both modes has the short lease.
//
// [ModeHook] is chosen, not found: Config.Mover has somebody else, such as a cloud's API,
// route the addresses here, and nothing is said on the segment. The kernel is muted if it can
// be; the addresses stand on the interface while they are held. A dead owner keeps them
// routed to itself until the next one claims them.
//
// # How it works
//
// The Muter's nftables tables (arp and ip6, tandem_GROUP; the rules stand above arpRules
// and ndpRules) drop what the kernel would answer for a VIP, and put the node's own
// address in place of a VIP that it would ask as. They hang on the output hooks alone:
// what the kernel hears it may learn from, which spares it a question before its first
// segment to a new client. The tables are owned (no other process, nor nft flush ruleset,
// removes them) and persistent (they outlive a crash, and the next run takes them over)
// from Linux 6.9 on. On older kernels they are plain: they outlive a crash as well, and
// what removes them is noticed and undone within milliseconds.
//
// Frames go over packet sockets. A goroutine of its own reads them and answers questions
// (RFC 826; RFC 4861, 7.2.4), at most 5000 in a second and 1000 of one asker; it never
// waits for netlink. It takes some 15 µs longer than the kernel (62 against 48 µs, median
// seen by the asker on two busy cores). The Claimer announces (RFC 5227, 2.3, in the
// request form; RFC 4861, 7.2.6, with the override flag), probes (RFC 5227, 2.1.1; RFC
// 4862, 5.4.2), listens, and defends against strangers at most once in ten seconds (RFC
// 5227, 2.4 (c)). Each frame that speaks for a VIP passes Config.Gate immediately before
// it is sent; questions to others claim nothing, and need not.
//
// Netlink events are hints, not facts. After each one, and every half second, the
// Claimer reads the interface's state and compares. So an event lost to a full
// socket buffer, a late one, and the echo of our own deletion are all harmless.
// For the same reason [Link] has no Renew beside Add: the kernel's request is the
// same one, and it adds a missing address whatever the caller meant by it.
//
// # What the keeper does with it
//
//   - It stamps the Gate each time its loop has come round, after it has read all
//     pending adverts: so on waking from a pause adverts come before questions. Shut and
//     Open are for an explicit fence. Announce, Claim and Resume return [ErrGateShut]
//     behind a closed gate.
//   - It calls Beat once per round: how old the answering goroutine's last sign of life
//     is belongs to "active means serving".
//   - Draining, or cut off: Mute, later Resume or Release. [ErrLeaseOnly] says that only
//     Release makes this node silent. With Config.Adopt an adopted group begins muted.
//   - Resolve finds the peers' hardware addresses for SetPeers; Solicit and HeardOther are
//     a proof of reception; Stations counts who else is on the segment, SpokeTo who can be reached.
//   - [ReleaseAll] clears a host on which Tandem is no more.
//
// Time is the monotonic clock, by which the kernel counts leases, too; the Gate's stamp
// is on CLOCK_BOOTTIME, which counts a suspended machine's sleep.
//
// # Limits
//
// A process paused between the gate and the write, a window of microseconds, sends that
// one frame on waking. In ModeLease, while a whole machine is suspended its monotonic
// clock stands still, so on waking the claim still looks good. The interface's MAC and
// the node's own addresses are read once, by Find: an interface that changes them needs a
// new Link, Wire and Muter. A plain mute table that is removed leaves the kernel speaking
// for the milliseconds until it is back; Status says so. Two processes on one node are kept
// apart by owned tables only. Only Ethernet.
//
// # Goroutines, locks and namespaces
//
// Constructors start nothing. [Claimer.Run] starts the wire's reader, the netlink watch,
// the muter's watch and the answering goroutine, and returns when all have ended. One
// operation at a time touches link and muter and announces, whether it comes from Run or
// from a caller; answers go their own way; [Claimer.Status] never waits for either.
//
// All sockets are opened by [OpenLink], [OpenWire] and [OpenMuter], in the network
// namespace of the thread that calls them, and keep it: afterwards any goroutine may use
// them. [Find] and [ReleaseAll] look at the calling thread's namespace as well.
package vip
