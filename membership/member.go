package membership

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// State of a member, as this node sees it.
type State uint8

// The states of a member. The zero State is none of them.
const (
	StateAlive   State = iota + 1 // answers, or was last heard of as alive
	StateSuspect                  // did not answer this node's last probe; still counts as there
	StateFailed                   // found dead: it did not answer and did not object
	StateLeft                     // said goodbye
)

// String returns DESIGN's word for the state: alive, suspect, failed, left.
func (s State) String() string {
	switch s {
	case StateAlive:
		return "alive"
	case StateSuspect:
		return "suspect"
	case StateFailed:
		return "failed"
	case StateLeft:
		return "left"
	}
	return "unknown"
}

// Present reports whether a member in this state counts as there: alive or suspect.
func (s State) Present() bool { return s == StateAlive || s == StateSuspect }

// Member is one member of the cluster as this node sees it. It is a value; its Meta.Tags must not be changed.
type Member struct {
	Name  string
	Addr  netip.Addr // where it gossips
	Port  uint16     // where it gossips, TCP and UDP
	Meta  Meta       // what it says of itself; of a failed or left member, what it said last
	State State
	Since time.Time // since when it is in this State, by this node's clock
	Self  bool      // it is this node
}

// AppID names the app at index i of Meta.Apps, which is announced, among all apps: the member's name, with the app's
// port behind a colon if the member has several.
func (m Member) AppID(i int) string {
	if len(m.Meta.Apps) == 1 {
		return m.Name
	}
	return m.Name + ":" + strconv.Itoa(int(m.Meta.Apps[i].Addr.Port()))
}

// AppMember returns the name of the member that has the app called id.
func AppMember(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

// EventKind says what happened to a member.
type EventKind uint8

// The kinds of event. The zero EventKind is none of them.
const (
	EventJoin     EventKind = iota + 1 // it is there, and was not before
	EventUpdate                        // it is there still, with another Meta or address (a restart is one too)
	EventLeave                         // it said goodbye
	EventFail                          // it was found dead
	EventConflict                      // a second live member uses its name, at Other; one of both must be renamed
)

// String returns the word for the kind: join, update, leave, failed, conflict.
func (k EventKind) String() string {
	switch k {
	case EventJoin:
		return "join"
	case EventUpdate:
		return "update"
	case EventLeave:
		return "leave"
	case EventFail:
		return "failed"
	case EventConflict:
		return "conflict"
	}
	return "unknown"
}

// Event is one thing that happened to one member.
type Event struct {
	Kind   EventKind
	Member Member         // as it is after the event
	Other  netip.AddrPort // EventConflict: where the second member of this name gossips
	At     time.Time
}

// Message is what another member sent with [Cluster.Send].
type Message struct {
	From    string // the sender's Name, as it says
	Payload []byte // at most MaxPayload bytes
}
