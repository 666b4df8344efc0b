package election

import (
	"cmp"
	"net/netip"
)

// rank orders the nodes that could hold a VIP (E9). There is one order, used wherever nodes are compared:
// who claims first, who keeps the VIP among actives of one epoch, who is worth a preemption.
type rank struct {
	drains   bool  // it was the last active, and has connections still
	bucket   uint8 // of fitness
	priority uint8
	addr     netip.Addr
	node     string
	boot     uint64
}

// compare is positive when a is the better candidate. It is total: no two nodes are equal (the address
// decides among equals, RFC 9568, 6.4.3; name and boot only where an address is shared by mistake).
func (a rank) compare(b rank) int {
	return cmp.Or(
		compareBool(a.drains, b.drains),
		a.compareMerit(b),
		a.addr.Unmap().Compare(b.addr.Unmap()),
		cmp.Compare(a.node, b.node),
		cmp.Compare(a.boot, b.boot),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareMerit leaves the tie-breakers out: a voluntary move must be worth its cost, and a higher address is not.
func (a rank) compareMerit(b rank) int {
	return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.priority, b.priority))
}

// fitnessBucket coarsens fitness (E10), so that a backend more or less does not reorder the nodes:
// 0 for 0, then 1 to 4 for each started quarter.
func fitnessBucket(fitness uint8) uint8 { return uint8((int(fitness) + 63) / 64) }

// claimRank is what settles a meeting of two claims: (epoch, rank), the higher stays (E8).
type claimRank struct {
	epoch uint64
	rank  rank
}

func (a claimRank) compare(b claimRank) int {
	return cmp.Or(cmp.Compare(a.epoch, b.epoch), a.rank.compare(b.rank))
}
