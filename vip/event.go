package vip

import (
	"net"
	"net/netip"
	"time"
)

// EventKind says what happened.
type EventKind int

// The events of a Claimer.
const (
	// Conflict: another station claims Addr, which we hold; By is its hardware address.
	Conflict EventKind = iota + 1
	// Lost: something deleted Addr while we held it. It is back and announced again.
	Lost
	// Expired: the lease ran out before it was renewed, because this process was
	// paused or the kernel refused. Nothing is claimed any more.
	Expired
	// LinkDown: the interface lost its carrier.
	LinkDown
	// LinkUp: the carrier is back; what is claimed is being announced again.
	LinkUp
)

// String returns the event's word for logs and the timeline.
func (k EventKind) String() string {
	switch k {
	case Conflict:
		return "conflict"
	case Lost:
		return "lost"
	case Expired:
		return "expired"
	case LinkDown:
		return "link-down"
	case LinkUp:
		return "link-up"
	}
	return "unknown"
}

// Event is news from a Claimer.
type Event struct {
	Kind EventKind
	At   time.Time        // of the newest occurrence
	Addr netip.Addr       // Conflict and Lost
	By   net.HardwareAddr // Conflict: the newest claimant
	Peer bool             // Conflict: By was named in SetPeers
	// Count is how many occurrences this event stands for, at least 1. Events wait
	// for a slow reader; of one subject (an address's conflict, its loss, the
	// carrier, the lease) only the newest waits, and counts those it replaced. So
	// the queue is bounded and nothing vanishes unsaid.
	Count int
}

// eventQueue holds what the reader of Events has not taken yet, oldest subject
// first, at most two per address and two for the group. Run's goroutine owns it.
type eventQueue []Event

// subject is what an event is about: only the newest of each waits.
type subject struct {
	kind EventKind
	addr netip.Addr
}

func (e Event) subject() subject {
	if e.Kind == LinkUp {
		return subject{kind: LinkDown} // the carrier is one subject
	}
	return subject{kind: e.Kind, addr: e.Addr}
}

// push appends the event, or puts it in the place of the one it outdates.
func (q *eventQueue) push(e Event) {
	e.Count = 1
	for i, old := range *q {
		if old.subject() == e.subject() {
			e.Count += old.Count
			(*q)[i] = e
			return
		}
	}
	*q = append(*q, e)
}

func (q *eventQueue) pop() {
	*q = append((*q)[:0], (*q)[1:]...)
}
