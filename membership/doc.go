// Package membership says who is there: which balancers and which apps, at which addresses, and since when.
// It wraps hashicorp/memberlist (SWIM with Lifeguard) once, so that nothing else in Tandem imports it.
//
// It promises:
//   - The start order never matters, and a partition heals by itself: [Cluster.Run] tries the seeds and the members it
//     has known for ever (memberlist alone never rejoins after a partition). Config.Snapshot lets the next run know them.
//   - [Cluster.Events] are ordered and none is lost; see there how they are bounded.
//   - A change of meta reaches every balancer directly over TCP, and everybody by gossip as the second path. Each member
//     also meets each balancer once over TCP, so that a balancer's list never hangs on a few UDP packets.
//   - An agent asks the balancers that it knows a few times a second whether they live (less often in a crowd), and goes
//     back to the seeds when none answers; its other probes are rare, so that hundreds of agents cost each other little.
//     An agent found dead is tried by the balancers alone while one of them is there.
//   - A member that is re-created under its old name, at its old or at a new address, is the same member and no
//     conflict. Two live members of one name are a conflict, reported by an Event and an error in the log of both.
//   - Members carry datagrams for each other, to balancers' advert addresses alone and within bounds, for a node whose own
//     path there is broken: [Cluster.Relay].
//   - Gossip keys are rotated while everybody stays: [Cluster.AddKey], [Cluster.UseKey], [Cluster.RemoveKey]. A key is used only
//     when every member that is there holds it, and is never printed, logged or told other than by its fingerprint.
//   - A user's event reaches every member that is there, each once: [Cluster.Broadcast].
//   - A member asks another one, and is answered over TCP: [Cluster.Ask].
//   - What a hostile or newer member says never crashes this one: what cannot be decoded is counted and ignored.
//
// Use:
//
//	c, err := membership.Open(membership.Config{Name: "lb1", Seeds: []string{"192.168.42.12"}, Meta: meta})
//	if err != nil { … }
//	defer c.Close()
//	go c.Run(ctx)                        // rejoins, delivers Events and Messages until ctx ends
//	for ev := range c.Events() { … }     // or look at c.Members() whenever one arrives
//	c.Leave(ctx)                         // say goodbye, then Close
//
// # Goroutines
//
// Open binds the sockets and starts memberlist, whose goroutines belong to memberlist and end with Close. All
// goroutines of this package belong to Run, which returns only when they have ended, except those of a Send, SetMeta,
// Join or Leave whose context ended before memberlist, which knows none, was done: each is over within 3 s, and Close
// waits for them; and a ping under way, which is over within half a second. Without Run a Cluster can be joined by others, but it joins nobody, delivers nothing and carries
// nothing.
//
// # Whom to believe
//
// Whoever holds a gossip key, or is on the network where there is none, may announce itself as anything and others as
// dead; if it says that it is a balancer, it may give orders about keys. So nothing here decides who is active (package election has a key of its own), and whoever fills a pool with
// members decides which networks may register. Such a one can also name any address as where it receives adverts, and
// have each member send up to 1600 datagrams of 1200 bytes a second there, one for each of its own. What is decoded is bounded and fuzzed; names, addresses and texts are
// checked before anybody sees them. New members are admitted in bounds (2048 at once, 200 a second after that, 256 at
// one address), so a flood of invented ones displaces nobody that is known; while it lasts, others may have to wait.
//
// # Names on the wire
//
// memberlist knows a node by its name alone and refuses a known name at a new address until the old one was found
// dead. So each run of a member has a name of its own on the wire, "s1#<start in ms, base 36>-<random>", and this
// package maps the runs of one name to one [Member]. A restart is thereby seen at once, never mixed up with what is
// still gossiped about the run before, and needs no reclaim time.
package membership
