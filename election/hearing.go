package election

import (
	"fmt"
	"time"
)

// Hearing is what a node hears on the VIP's segment, and is an event: the shell says it whenever it changes, at
// most an advert interval late. It counts who has sent a frame to this very node (to its own MAC: the answer to
// a Solicit, say) within UsefulAfter. A broadcast does not count, for a node that can send nothing hears those,
// too. A machine that is never told hears nothing, and complains of nobody (E6).
type Hearing struct {
	Gateway  bool  // the default gateway
	Peer     bool  // another balancer
	Stations uint8 // hosts that are neither balancers nor, for a backup, the active; 255 for more
}

func (Hearing) event() {}

// Wire says how the active answers a node's questions on the VIP's segment. It goes over the wire as a number.
type Wire uint8

// The values never change their meaning.
const (
	WireUnknown Wire = iota // it is not asked there, or not for long enough
	WireAnswers             // it answers
	WireSilent              // it does not
	numWires
)

var wireNames = [numWires]string{"unknown", "answers", "silent"}

// String returns the word as it stands in status.
func (w Wire) String() string {
	if w < numWires {
		return wireNames[w]
	}
	return fmt.Sprintf("wire(%d)", uint8(w))
}

// Complaint is what a backup holds against the active of a group: nobody on the VIP's segment is answered by it
// (E6). It travels in a Question, by each path that may work.
type Complaint struct {
	Group   string        // "": there is no complaint
	Seq     uint64        // grows with each complaint of a boot, so that none counts twice
	For     time.Duration // how long no question on the segment has been answered, at most an hour; in microseconds on the wire
	Hearing Hearing       // what the complaining node hears there
}

// Complained is a complaint that has arrived. Question.Complained makes it.
type Complained struct {
	Node string
	Boot uint64
	Complaint
}

func (Complained) event() {}

// UsefulAfter returns for how long an active with this advert interval may answer nobody on the VIP's segment
// before it is taken for useless (E6), and how long a frame counts in Hearing.
func UsefulAfter(interval time.Duration) time.Duration { return longestJitter(interval) }
