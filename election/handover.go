package election

import "time"

// A planned move of the VIP loses nothing: the new active forwards to the old one what belongs to connections
// that the old one has, until they have ended. The two machines agree on it over their keepers' state channel.
// A is active, B takes over; T = max(50 ms, 4 intervals), and more where one of them has been late of late (E13):
//
//	A: Offer ──────────► B: fit? Prepare (the forward table), which may take long
//	A: Fence, Drain ◄─── B: Ready; claims only if told so within T
//	A: Take ───────────► B: Claim, Announce: active, with the next epoch
//	A hears B active: its proxy drains (DrainProxy); A stands by, as a backup would
//	A: Drained ────────► B: Forget (the table); A releases the address: Backup
//
// A is Draining from Fence to the end. Until it hears B active, others take it for the holder; from then on it
// is a candidate (GroupAdvert.Standby), the first of all, since it has connections.
//
// What happens when a step fails; nothing depends on a message that tells of a failure:
//
//	Offer, or Ready, is lost or late    A is active all the while, and gives the handover up after AnswerTimeout;
//	                                    B's promise ends after T, and with it the table
//	B is not fit, or has something else to do   Refuse: A stays active and tries again, three times in all; then,
//	                                    if it must go, it releases first
//	B cannot forward, or A not drain    Unable: A releases first and then yields; connections break
//	no channel stands                   the same
//	what B forwards would not arrive    the same
//	Take is lost or late                B's promise has ended: it forgets the table, and refuses. A claims again
//	                                    when it hears that, and at the latest T and two of the shortest T after
//	                                    Ready; and tries it again, three times in all
//	B dies, or cannot claim, after Take the same; if B was heard to claim, then after its silence (E4)
//	A dies before Take                  B forgets the table, and claims when silence or a signal says so
//	A dies after Take                   B is active; it forgets the table when A has been silent for a while
//	B dies while A drains               A claims again by the ordinary rule, its connections are intact
//	somebody else takes over            A ends its drain: nobody forwards to it
//	a proxy dies                        A's: nothing is left to drain. B's: it is not fit, and hands back
//	a pause (E14)                       of A before Fence: given up. Of B before its claim: it forgets the table.
//	                                    Later: the rules of a backup, since neither answers before it has claimed
//	Drained is lost                     B forgets the table when A's adverts say anything but Draining
//	the drain lasts too long            A releases after Config.DrainDeadline; what is left is counted
//
// While A drains, B hands over to A alone: three tables in a ring would forward a stray packet for ever. A then
// commits a table of its own, towards B, and what it kept is local again. Both tables live on until the drain
// of their own node ends, for the sake of frames that still come by old ARP entries.

// MessageKind says what a Message is.
type MessageKind uint8

// The values go over the wire; they never change their meaning.
const (
	_          MessageKind = iota
	MsgOffer               // active → candidate: prepare to take over; Epoch, For
	MsgReady               // answer: prepared, and For is T
	MsgRefuse              // answer, or its withdrawal: no; Text says why
	MsgUnable              // answer: yes, but connections would break; Text says why
	MsgTake                // this node says nothing about the VIP any more: claim it
	MsgDrained             // this node's drain has ended; Left connections are cut
	MsgAsk                 // backup → active: an operator wants a handover
	MsgAnswer              // to Ask: how it ended; Text says why it failed, "" when it did not
	numMessageKinds
)

var messageKinds = [numMessageKinds]string{"none", "offer", "ready", "refuse", "unable", "take", "drained", "ask", "answer"}

// String returns the kind's word.
func (k MessageKind) String() string {
	if k < numMessageKinds {
		return messageKinds[k]
	}
	return "unknown"
}

// MaxText bounds Message.Text, in bytes.
const MaxText = 200

// Message is what one group's machines say to each other over the state channel.
type Message struct {
	Kind  MessageKind
	Nonce uint64        // names the handover, or the Ask; never 0
	Epoch uint64        // Offer: of the sender's claim
	For   time.Duration // Offer: how long the drain may last; Ready: how long this is good
	Left  int           // Drained: connections that were cut
	Lossy bool          // Answer: connections broke
	To    string        // Ask: the node wanted, "" for any; Answer: who has the VIP now
	Text  string        // Refuse, Unable, Answer: why; at most MaxText bytes
}

// Handover asks for a planned move to the node To, "" for the best. An active does it; another node asks the
// active. Always answered, once, by HandedOver with the same ID.
type Handover struct {
	ID uint64 // of the shell's choosing
	To string
}

// Said is a Message that came over the authenticated state channel from this node and boot.
type Said struct {
	Node    string
	Boot    uint64
	Message Message
}

// Linked says whether what is told to this node and boot arrives: its state channel stands, or has ended.
type Linked struct {
	Node string
	Boot uint64
	Up   bool
}

// Lossless says whether this node can take its part in a handover that loses nothing: keep an address without
// answering for it, and forward. Before the first such event it cannot. With To it is about handovers to that
// node alone: can what that one forwards arrive here? Before the first such event it can.
type Lossless struct {
	To     string // "": to anybody, and from anybody
	OK     bool
	Reason string // why not, for people
}

// Prepared answers Prepare. After an error no table is there.
type Prepared struct {
	Token uint64
	Err   error
}

// Connections says how many of its clients' connections the proxy has left, while it drains. A proxy that was
// started anew has none. Before the first such event of a drain the number is not known.
type Connections struct{ Left int }

// Tell sends a Message to this node and boot over the state channel. It is quick; what cannot be sent is lost.
type Tell struct {
	Node    string
	Boot    uint64
	Message Message
}

// Prepare commits the table that forwards to this node what is not a connection of this one, in place of any
// other. It may take long and runs beside everything else, but in order with Forget. Answer with Prepared.
type Prepare struct {
	Token uint64
	Node  string
	Boot  uint64
	For   time.Duration // how long the other one drains at most
}

// Forget deletes the table. It is slow, like Prepare, and not answered.
type Forget struct{}

// Drain keeps the VIP's addresses for so long at most, and says nothing about them any more. It comes after a
// Fence, is slow, in order with Claim and Release, and not answered. Claim undoes it.
type Drain struct{ For time.Duration }

// DrainProxy tells the proxy to end its connections in good order, within For: each with its next response.
type DrainProxy struct{ For time.Duration }

// ResumeProxy ends DrainProxy: either this node is active again, or what was left is cut.
type ResumeProxy struct{ Cut bool }

// HandedOver answers Handover.
type HandedOver struct {
	ID    uint64
	To    string // who has the VIP now, after a success
	Err   string // why not; "" after a success
	Lossy bool   // connections broke
}

func (Handover) event()    {}
func (Said) event()        {}
func (Linked) event()      {}
func (Lossless) event()    {}
func (Prepared) event()    {}
func (Connections) event() {}

func (Tell) action()        {}
func (Prepare) action()     {}
func (Forget) action()      {}
func (Drain) action()       {}
func (DrainProxy) action()  {}
func (ResumeProxy) action() {}
func (HandedOver) action()  {}

// promise returns the least T: for how long B's Ready is good. A waits for twice that beyond it before it claims
// again: for B's claim, and for the first adverts of it.
func promise(interval time.Duration) time.Duration {
	return max(50*time.Millisecond, missedAdverts*interval)
}

const (
	// leaseBeyondDrain is how long the address outlives the drain's deadline, should this process die.
	leaseBeyondDrain = 10 * time.Second
	// tableBeyondDrain is how long the table outlives it, should nobody say that the drain has ended.
	tableBeyondDrain = time.Minute
	// drainerSilence is how long a draining node may be silent, beyond its patience, before the table that
	// forwards to it is of no use: its clients then learn from the new active that their connections are gone.
	drainerSilence = 2 * time.Second
)

// said takes in a message; one that names another handover than the one under way is void.
func (m *Machine) said(ev Said) {
	switch msg := ev.Message; msg.Kind {
	case MsgOffer:
		m.offered(ev)
	case MsgTake:
		m.told(ev)
	case MsgDrained:
		m.drainedThere(ev)
	case MsgReady:
		m.ready(ev)
	case MsgRefuse, MsgUnable:
		m.refused(ev)
	case MsgAsk:
		m.handOver(wish{why: WhyHandover, to: msg.To, then: Backup, asker: asker{id: msg.Nonce, node: ev.Node, boot: ev.Boot}})
	case MsgAnswer:
		m.askAnswered(ev)
	}
}

// linked notes whether the channel to a boot stands.
func (m *Machine) linked(ev Linked) {
	switch boot, known := m.links[ev.Node]; {
	case ev.Up && (known || len(m.links) < MaxPeers):
		m.links[ev.Node] = ev.Boot
	case !ev.Up && boot == ev.Boot:
		delete(m.links, ev.Node)
	}
}

// tell sends a message, with its text cut to what is allowed.
func (m *Machine) tell(node string, boot uint64, msg Message) {
	if len(msg.Text) > MaxText {
		msg.Text = msg.Text[:MaxText]
	}
	m.do(Tell{Node: node, Boot: boot, Message: msg})
}

// Valid says whether m could be of a machine: what came over a network is checked by it.
func (m *Message) Valid() bool {
	return m.Kind > 0 && m.Kind < numMessageKinds && m.Nonce != 0 && m.Epoch <= maxEpoch && m.For >= 0 &&
		m.For <= maxDrainDeadline && m.Left >= 0 && len(m.To) <= MaxNameLen && len(m.Text) <= MaxText
}
