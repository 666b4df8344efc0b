package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
)

// Bounds of one entry.
const (
	MaxLine    = 4096 // bytes of an encoded entry, its newline included
	maxText    = 256  // bytes of each text in it; what is longer is cut
	maxSignals = 8
)

// Kinds of entry.
const (
	KindState   = "state"   // a group of this node changed its state
	KindMember  = "member"  // a member joined, changed, left or failed
	KindBackend = "backend" // a backend of the serving proxy changed its state
	KindOrder   = "order"   // an operator asked for something
	KindProcess = "process" // a process of this balancer began to serve, was replaced or ended
	KindReload  = "reload"  // the configuration was loaded again, or that was refused
	KindServed  = "served"  // the first request was served after a claim, whose epoch it has
)

// Kinds are all of them.
var Kinds = []string{KindState, KindMember, KindBackend, KindOrder, KindProcess, KindReload, KindServed}

// Entry is one thing that happened. What does not belong to its kind is empty.
type Entry struct {
	Seq    uint64    `json:"seq"` // counts the entries of one node; [Log.Append] sets it
	Time   time.Time `json:"time"`
	Node   string    `json:"node"` // that wrote it
	Kind   string    `json:"kind"`
	Group  string    `json:"group,omitempty"`   // VIP group; of a backend: its pool
	Name   string    `json:"subject,omitempty"` // the member, backend, process or order
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Reason string    `json:"reason,omitempty"` // a stable word; of a state: election's
	Peer   string    `json:"peer,omitempty"`   // the other balancer concerned
	Detail string    `json:"detail,omitempty"` // for people
	Epoch  uint64    `json:"epoch,omitempty"`
	Who    string    `json:"who,omitempty"`  // of an order: as the kernel says
	Boot   uint64    `json:"boot,omitempty"` // of the keeper that saw it
	ID     uint64    `json:"id,omitempty"`   // counts what that keeper saw, so that nothing is taken twice

	Evidence *Evidence `json:"evidence,omitempty"`
	Phases   *Phases   `json:"phases,omitempty"`
}

// Evidence is what a node knew when it changed its state.
type Evidence struct {
	Silence     time.Duration  `json:"silence,omitempty"`    // since the peer was last heard
	Missed      int            `json:"missed,omitempty"`     // adverts due in that time
	Rounds      int            `json:"rounds,omitempty"`     // of queries in that silence
	Answers     map[string]int `json:"answers,omitempty"`    // to queries since they began, by path
	Proof       bool           `json:"proof,omitempty"`      // this node's own receive path was proven meanwhile
	Bare        bool           `json:"bare,omitempty"`       // nobody but balancers was heard on the segment of late
	Signals     []string       `json:"signals,omitempty"`    // e.g. the peer's keeper has ended
	Fitness     int            `json:"fitness"`              // of this node, 0 to 255
	PeerFitness int            `json:"peer_fitness"`         // of the peer, as it last said; -1: no peer
	PeerState   string         `json:"peer_state,omitempty"` // as it last said
}

// Phases is how long each step towards a claim took, by this node's own clock. What was
// not measured, or is no part of the change, is zero.
type Phases struct {
	Detect   time.Duration `json:"detect,omitempty"`   // last heard → first query
	Decide   time.Duration `json:"decide,omitempty"`   // first query → claim begun
	Claim    time.Duration `json:"claim,omitempty"`    // claim begun → the VIP is on the interface
	Announce time.Duration `json:"announce,omitempty"` // → the first announcement has been sent
	Serve    time.Duration `json:"serve,omitempty"`    // the VIP is on the interface → the first request was served; an entry of its own
}

// Total is the sum of the phases until the announcement.
func (p *Phases) Total() time.Duration { return p.Detect + p.Decide + p.Claim + p.Announce }

// Errors of a line that is no entry.
var (
	ErrTorn = errors.New("timeline: line without a valid checksum")
	ErrLong = errors.New("timeline: entry too long")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumLen is eight hexadecimal digits and a space.
const sumLen = 9

// Encode returns e as one line. Texts over their bound are cut; ErrLong says that it is too
// long all the same.
func Encode(e Entry) ([]byte, error) {
	for _, s := range []*string{&e.Node, &e.Kind, &e.Group, &e.Name, &e.From, &e.To, &e.Reason, &e.Peer, &e.Detail, &e.Who} {
		*s = clip(*s)
	}
	if e.Evidence != nil && len(e.Evidence.Signals) > maxSignals {
		cut := *e.Evidence
		cut.Signals = cut.Signals[:maxSignals]
		e.Evidence = &cut
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("timeline: %w", err)
	}
	if len(body)+sumLen+1 > MaxLine {
		return nil, ErrLong
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli), body), nil
}

// clip cuts a text at its bound, between characters.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut]
}

// Decode reads one line, with or without its newline.
func Decode(line []byte) (Entry, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) >= MaxLine {
		return Entry{}, ErrLong
	}
	if len(line) < sumLen || line[sumLen-1] != ' ' {
		return Entry{}, ErrTorn
	}
	sum, err := strconv.ParseUint(string(line[:sumLen-1]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[sumLen:], castagnoli) {
		return Entry{}, ErrTorn
	}
	var e Entry
	if err := json.Unmarshal(line[sumLen:], &e); err != nil {
		return Entry{}, fmt.Errorf("timeline: %w", err)
	}
	return e, nil
}
