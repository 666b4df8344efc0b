// Package owners counts, from outside, how many hosts own an address.
//
// It asks nobody who might be wrong about himself. Every 5 ms it broadcasts an
// ARP request for the address and writes down whose MAC answers, and it reads
// from each host's kernel whether the address is on an interface there.
//
// # Owner
//
// A host owns the address at an instant if it has the address AND answers ARP
// for it. An answer that crossed the wire is also the proof that the host is
// reachable: a host without power, or behind a dead port, cannot give one. So:
//
//   - An answer counts if the host had the address, by its kernel's own news, at
//     some time between the request and the answer. A MAC that belongs to no
//     known host counts without that, under its own name: its kernel cannot be
//     asked, and it draws the traffic.
//   - A run is a longest series of successive requests that one host answered.
//     It proves ownership from its first answer's arrival to its last request's
//     departure: the host owned the address before the one and after the other.
//   - Owners at once is the number of runs whose proven stretches share an
//     instant.
//
// Why not simply "two MACs answered": in an orderly move the old owner may answer
// a request that the new one finds in its queue a moment later. Those two answers
// prove no common instant. With runs, two hosts are counted together only if one
// was seen to own the address after the other had begun and the other way round;
// what may slip through is an overlap shorter than two requests, 10 ms.
// [Report.Doubled] counts the single requests that two hosts answered, proof or not.
//
// # The request does not heal what it watches
//
// Requests leave under MACs and an address of the watcher's own, so the answers
// pass the client's own ARP cache by: a client that was told nothing about a move
// stays at the dead owner, and its outage shows. Each request has its own MAC
// ([macs] in turn), which the answer repeats: so it is known which one it answers.
//
// [Book] is the pure bookkeeping; [Watch] fills one from sockets (Linux). Run and
// Follow own their goroutines and sockets and have ended them when they return.
package owners
