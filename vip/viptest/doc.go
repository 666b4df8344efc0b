// Package viptest tests holders of virtual addresses.
//
// [Run] is a table of behaviours, each named after the sentence it proves, which
// runs against any [Net]: [NewSegment], a simulated Ethernet segment for use in
// testing/synctest, and (in package vip's own tests) network namespaces of the real
// kernel. So the simulation is held to what the kernel does.
//
// A [Segment] has stations, each with addresses that have leases, a carrier, and a
// neighbour cache with Linux's rules of what it believes. [Station.Link] and
// [Station.Wire] are the fakes of vip.Link and vip.Wire.
package viptest
