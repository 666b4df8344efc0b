// Package doctor looks at a machine on which a balancer shall run, or runs, and names what
// stands in its way: each finding says what is there, why that matters, and what to do.
//
// [Collect] looks, and decides nothing: it reads /proc and /sys, asks the wire once who has the
// VIP, listens there for a moment, and tries the peers' ports. [Check] decides, and is pure: so
// every finding is tested with facts that no machine needs to have. What a running balancer
// knows itself comes in with the [Facts], from whoever calls.
//
// Nothing is changed on the machine or on the network. The only frames that are sent are one
// ARP probe for each IPv4 VIP (RFC 5227, 2.1.1), which claims nothing, and attempts to connect.
package doctor
