// Package lab builds whole networks out of Linux namespaces, from Go with netlink only, as root or as an ordinary user. The demo, the
// end-to-end tests and the benchmarks stand on it.
//
//	 the user's system          Enter: user, net, mnt, pid, uts and ipc namespaces
//	┌─────────────────┐  ┌────────────────────────────────────────────────────────────────────┐
//	│ tandem demo     │  │  init (pid 1) ── tandem demo, once more: calls New, Host, Start …  │
//	│  (outer)  ──────┼──┼──►                   │ wires (socketpairs)                         │
//	│                 │  │      ┌───────────────┼──────────────────┬───────────────┐          │
//	│ 127.0.0.1:8080  │  │  ┌───┴────┐      ┌───┴────┐         ┌───┴────┐      ┌───┴────┐     │
//	│  ▲ Forward      │  │  │ lb1    │      │ lb2    │         │ client │      │ switch │     │
//	└──┼──────────────┘  │  │ init   │      │ init   │         │ init   │      │ init   │     │
//	   └─────────────────┼──┤ tandem │      │ tandem │         │ tandem │      │        │     │
//	                     │  └─ eth0 ─┘      └─ eth0 ─┘         └─ eth0 ─┘      └────────┘     │
//	                     │  port lb1.0      port lb2.0        port client.0     bridge "lan"  │
//	                     │      └────────────────┴───────────────────┴────────────────┘       │
//	                     └────────────────────────────────────────────────────────────────────┘
//
// A lab is a switch (one bridge per segment, in a network namespace of their own, so that labs never meet) and hosts. A host has its
// own network, pid, mount, uts and ipc namespaces: its own addresses, /proc, /run and hostname, and nothing else of its own: all
// other files are those of the system, and so are /sys and the clock. (What the system has in /run is not to be seen in a host, so a
// TMPDIR there does not do.)
//
//	func main() {
//		lab.Init()                                  // first: this binary is also the lab's helpers
//		if err := lab.Preflight(); err != nil {     // one cause, one remedy
//			log.Fatal(err)
//		}
//		inside, code, err := lab.Enter()
//		if err != nil || !inside {
//			os.Exit(code)
//		}
//		l, err := lab.New(lab.Config{})
//		defer l.Close()
//		a, err := l.Host("a", netip.MustParsePrefix("10.0.0.1/24"))
//		b, err := l.Host("b", netip.MustParsePrefix("10.0.0.2/24"))
//		p, err := b.Start(lab.Command{Args: []string{"webapp", "--listen", ":80"}, Stdout: os.Stdout})
//		c, err := a.Dial(ctx, "tcp", netip.MustParseAddrPort("10.0.0.2:80"))
//		err = b.PowerOff()                          // or b.PortDown(), a.CutLink(b), a.Drop(b), p.Signal(…)
//	}
//
// Tests call os.Exit(lab.TestMain(m)) in their TestMain, and lab.Need(t) in each test that builds a lab.
//
// # What it promises
//
//   - When Host, Attach, PowerOn or PortUp return, frames pass and addresses may be used: nothing has to be retried.
//   - PowerOff lets nothing out of the host, not even a FIN: the bridge port is silenced first, then everything in the host is
//     killed. That takes 0.1 ms, and all is dead after 1 to 2 ms. It removes nothing, since removing holds the kernel's rtnl lock,
//     which is one for the whole system, and would delay a peer that adds the VIP at this moment. For the same reason measure
//     outages while no other lab is built or taken down on the machine.
//   - When Done is closed, all that a process wrote has been handed to its Writers.
//   - A signal never reaches another process than the one meant: processes are held by pidfd.
//   - Nothing is left behind: namespaces end with their last process and descriptor; everything in the lab is killed by the kernel
//     when its pid 1 ends, which happens when the program inside ends in whatever way, and when the outer process dies.
//   - A process inherits the three files that it is given, and nothing else.
//   - All is bounded: 8 segments, 250 hosts, 8 interfaces each, 512 drops, 128 connections at a time per Forward.
//
// # What it needs
//
// Linux 5.4 or later with bridge and veth; user namespaces unless run as root. Preflight finds out by trying. Drop and CutLink need
// nftables' bridge family as well (CONFIG_NF_TABLES_BRIDGE, which distributions have as a module) and say so when it is missing; they are
// not part of Preflight, since most labs do without. BPF, real-time priority and a second uid do not exist in an ordinary user's lab.
//
// # Goroutines
//
// New, Host, Start and Forward start goroutines, all of which end by Close: one per machine that hears its init out, one per Writer
// of a Process, one per Forward and two per connection through it. A Writer may be called after Done, for a process's descendants,
// but not after Close. Do runs on the caller's own goroutine and thread.
package lab
