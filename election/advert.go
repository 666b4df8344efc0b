package election

import (
	"net/netip"
	"time"
)

// MaxDatagram bounds a sealed advert in bytes, so that it crosses any path unfragmented.
const MaxDatagram = 1200

// MaxGroups bounds the groups of one advert.
const MaxGroups = 16

// Advert is one datagram: what a node says about itself and about each of its VIP groups.
type Advert struct {
	Node     string        // 1 to MaxNameLen bytes
	Boot     uint64        // the sender's boot id, never 0
	Session  uint64        // the session this datagram belongs to; 0 until sessions are agreed
	Seq      uint64        // grows with each datagram of a boot
	Echo     uint64        // the nonce of the Question that this advert answers; 0: it answers none
	Addr     netip.Addr    // the sender's own address (tie-breaker)
	Interval time.Duration // MinAdvertInterval to MaxAdvertInterval, in microseconds on the wire
	Late     time.Duration // how late beyond Interval the sender has been of late, pauses left out; in microseconds on the wire
	Groups   []GroupAdvert // at most MaxGroups, names different
}

// GroupAdvert is what a node says about one VIP group. Machine.Advert makes it.
type GroupAdvert struct {
	Name     string
	State    State
	Claiming bool   // Backup, or Draining and Standby: a claim is under way, with Epoch
	Standby  bool   // Draining only: somebody else is active, only old connections are here, and it may claim again
	Priority uint8  // 0: yield, this node does not hold the VIP (any more) and does not want it
	Fitness  uint8  // 0: cannot serve
	Epoch    uint64 // of its claim when it holds or claims the VIP, else the highest seen
	Hearing  Hearing
	Wire     Wire
}

// Heard returns the event for the named group's machine; false if the advert does not speak of that group.
func (a *Advert) Heard(group string) (Heard, bool) {
	for _, g := range a.Groups {
		if g.Name == group {
			return Heard{Node: a.Node, Boot: a.Boot, Addr: a.Addr, Interval: a.Interval, Late: a.Late, Seq: a.Seq, Group: g}, true
		}
	}
	return Heard{}, false
}

// Answered returns the event for the named group's machine of an advert that came by path and has an Echo;
// false if it has none or does not speak of that group.
func (a *Advert) Answered(group string, path Path) (Answered, bool) {
	h, ok := a.Heard(group)
	return Answered{Heard: h, Nonce: a.Echo, Path: path}, ok && a.Echo != 0
}

// Question is a query as a datagram. Only the two ends can read or make it; relays carry it as it is. The shell
// that gets one answers it, whatever else it says.
type Question struct {
	Node    string // who asks, 1 to MaxNameLen bytes
	Boot    uint64 // its boot id, never 0
	Session uint64 // as in Advert
	Nonce   uint64 // of the Query, never 0
	Target  string // who is asked; "" for whoever gets it

	Complaint Complaint // of the Query; the zero value is none
}

// Complained returns the event for the named group's machine; false if the question carries no complaint, or
// one of another group.
func (q *Question) Complained(group string) (Complained, bool) {
	return Complained{Node: q.Node, Boot: q.Boot, Complaint: q.Complaint}, q.Complaint.Group == group && group != ""
}
