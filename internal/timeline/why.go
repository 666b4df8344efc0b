package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Story is one change of state, told as a person would.
type Story struct {
	Headline string   `json:"headline"`
	Events   []Entry  `json:"events"`             // what led to it, and it itself, oldest first
	Why      string   `json:"why"`                // the reason, as a sentence
	Sure     []string `json:"sure"`               // what speaks for it, and what was not known
	Took     []string `json:"took,omitempty"`     // the measured phases
	Next     []string `json:"next"`               // what to look at
	Complete bool     `json:"complete,omitempty"` // the timeline reaches back far enough to tell
}

const (
	before = time.Minute      // what may have led to a change
	after  = 15 * time.Second // gossip finds out about a death within it
	most   = 12               // events told
)

// Why tells the change of a group ("" for any) that put it where it is, out of the merged
// entries of all nodes: the last time that somebody became active or gave it up. With a node
// it is that node's own last claim, loss or fault. It is never the return to backup that
// follows a drain, unless there is nothing else. ok is false when there is no change at all.
func Why(entries []Entry, group, node string) (s Story, ok bool) {
	at := lastChange(entries, group, node)
	if at < 0 {
		return Story{}, false
	}
	e := entries[at]
	s = Story{Headline: headline(e), Why: Because(e), Next: next(e), Took: took(e, firstServed(entries, e)), Complete: complete(entries, e)}
	if c, ok := cause(entries, at); ok {
		s.Why, s.Next = fmt.Sprintf("%s gave it up: %s", c.Node, ofAnother(Because(c))), next(c)
	}
	is := 0 // where e stands among the events
	for i, o := range entries {
		since := o.Time.Sub(e.Time)
		switch {
		case i == at:
			is = len(s.Events)
		case since < -before || since > after || !concerns(o, e):
			continue
		}
		s.Events = append(s.Events, o)
	}
	s.Sure = sure(e, s.Events)
	if e.Reason == "handover" && slices.ContainsFunc(s.Events, func(o Entry) bool {
		return o.Kind == KindMember && o.Node == e.Node && o.Name == e.Peer && e.Peer != "" && o.To == "left"
	}) {
		s.Why += " Then it left the cluster: it was asked to end."
	}
	if over := len(s.Events) - most; over > 0 {
		from := min(max(0, is-most+4), over)
		s.Events = s.Events[from : from+most]
	}
	return s, true
}

// reliefAge is how far apart two halves of a change may be, by clocks that are not quite the same.
const reliefAge = 30 * time.Second

// cause is the other half of a change that is only an answer: who took over from one that gave up
// has no more to say than that, and it is that one which knows why. Where an operator asked for it
// there is no more to it.
func cause(entries []Entry, at int) (c Entry, ok bool) {
	e := entries[at]
	if e.To != "active" || e.Peer == "" || e.Reason != "handover" && e.Reason != "yielded" {
		return c, false
	}
	for _, o := range entries {
		apart := o.Time.Sub(e.Time).Abs()
		if o.Kind != KindState || o.Group != e.Group || o.Node != e.Peer || o.From != "active" || apart > reliefAge {
			continue
		}
		if !ok || apart < c.Time.Sub(e.Time).Abs() {
			c, ok = o, true
		}
	}
	return c, ok && c.Reason != "handover" && c.Reason != "conflict-lost"
}

// ofAnother has a node's sentence of itself go on one about that node.
func ofAnother(sentence string) string {
	for _, self := range []string{"This node", "this node", "This balancer", "this balancer"} {
		sentence = strings.ReplaceAll(sentence, self, "it")
	}
	return sentence
}

// concerns says whether an entry may have to do with a change of a group: what became of
// backends and agents has, where a node sees fewer of them than another.
func concerns(o, e Entry) bool {
	switch o.Kind {
	case KindState, KindServed:
		return o.Group == e.Group
	case KindBackend:
		return e.Reason == "fitter"
	case KindMember:
		return e.Reason == "fitter" || !strings.HasPrefix(o.Detail, "agent ")
	case KindOrder:
		return ofBalancers(o.Name)
	}
	return true
}

// ofBalancers says whether an order may move a VIP.
func ofBalancers(order string) bool {
	word, arg, _ := strings.Cut(order, " ")
	return word == "handover" || word == "reload" || word == "maint" && (arg == "on" || arg == "off")
}

// lastChange is where the change to be told stands, -1 if there is none.
func lastChange(entries []Entry, group, node string) int {
	fault, any := -1, -1
	for i, e := range slices.Backward(entries) {
		if e.Kind != KindState || group != "" && e.Group != group || node != "" && e.Node != node {
			continue
		}
		if e.From == "active" || e.To == "active" || node != "" && e.To == "fault" {
			return i
		}
		if e.To == "fault" && fault < 0 {
			fault = i
		}
		if any < 0 {
			any = i
		}
	}
	if fault >= 0 {
		return fault
	}
	return any
}

// complete says whether the entries of the node of e reach back far enough to tell what led
// to it.
func complete(entries []Entry, e Entry) bool {
	first := entries[slices.IndexFunc(entries, func(o Entry) bool { return o.Node == e.Node })]
	return first.Seq == 1 || first.Time.Before(e.Time.Add(-before))
}

func headline(e Entry) string {
	became := "became " + e.To
	switch {
	case e.From == "active":
		became = fmt.Sprintf("gave up being active and became %s", e.To)
	case e.From == "draining" && e.To == "active":
		became = "became active again"
	}
	return fmt.Sprintf("%s %s for group %s at %s (epoch %d)", e.Node, became, e.Group, e.Time.Format("2006-01-02 15:04:05.000 MST"), e.Epoch)
}

// Because is the reason of a change of state, as a sentence.
func Because(e Entry) string {
	peer := peerOf(e)
	text, known := reasons[e.Reason]
	if !known {
		return "The reason was " + e.Reason + "."
	}
	switch {
	case e.To == "active" && text.active != "":
		text.because = text.active
	case text.ended != "" && e.signalled("the keeper of "+peer+" has ended"):
		text.because = text.ended
	}
	out := strings.ReplaceAll(text.because, "PEER", peer)
	if e.Detail != "" {
		out = strings.TrimSuffix(out, ".") + " (" + e.Detail + ")."
	}
	return out
}

// signalled says whether a signal with these words was there.
func (e Entry) signalled(words string) bool {
	return e.Evidence != nil && slices.ContainsFunc(e.Evidence.Signals, func(s string) bool { return strings.Contains(s, words) })
}

func peerOf(e Entry) string {
	if e.Peer == "" {
		return "the other node"
	}
	return e.Peer
}

func next(e Entry) []string {
	peer := peerOf(e)
	var out []string
	for _, line := range reasons[e.Reason].next {
		out = append(out, strings.ReplaceAll(line, "PEER", peer))
	}
	if len(out) == 0 {
		out = append(out, "nothing needs to be done; 'tandem timeline' shows what came before")
	}
	return out
}

// firstServed is how long after a claim the first request was served; 0: that is not known.
func firstServed(entries []Entry, e Entry) time.Duration {
	for _, o := range entries {
		if o.Kind == KindServed && o.Node == e.Node && o.Group == e.Group && o.Epoch == e.Epoch && o.Phases != nil && o.Time.Sub(e.Time).Abs() < before {
			return o.Phases.Serve
		}
	}
	return 0
}

func took(e Entry, served time.Duration) []string {
	p := e.Phases
	if p == nil || e.To != "active" {
		return nil
	}
	var out []string
	for _, phase := range []struct {
		d    time.Duration
		what string
	}{
		{p.Detect, "until the first missed advert was noticed and asked about"},
		{p.Decide, "until it was decided to claim"},
		{p.Claim, "to put the VIP on the interface"},
		{p.Announce, "to announce it"},
	} {
		if phase.d > 0 {
			out = append(out, fmt.Sprintf("%v %s", round(phase.d), phase.what))
		}
	}
	out = append(out, fmt.Sprintf("%v in all, by this node's own clock", round(p.Total())))
	if served > 0 {
		out = append(out, fmt.Sprintf("%v from when the VIP was on the interface until the first request was served", round(served)))
	}
	return out
}

// sure says what the evidence proves, and what not.
func sure(e Entry, around []Entry) []string {
	var out []string
	ev := e.Evidence
	if ev == nil {
		return []string{"no evidence was kept with this entry"}
	}
	if ev.Silence > 0 {
		missed := ""
		if ev.Missed > 0 {
			missed = ": " + many(ev.Missed, "advert was", "adverts were") + " missed"
		}
		out = append(out, fmt.Sprintf("nothing was heard from %s for %v%s", peerOf(e), round(ev.Silence), missed))
	}
	answered := 0
	for _, n := range ev.Answers {
		answered += n
	}
	switch {
	case ev.Rounds == 0:
	case answered == 0:
		out = append(out, fmt.Sprintf("%s, by every path there was, brought no answer", many(ev.Rounds, "round of queries", "rounds of queries")))
	default:
		out = append(out, fmt.Sprintf("%s brought %s", many(ev.Rounds, "round of queries", "rounds of queries"), paths(ev.Answers)))
	}
	switch {
	case ev.Rounds == 0:
	case ev.Proof:
		out = append(out, "meanwhile this node did hear another host on the VIP's segment, so its own reception worked")
	case ev.Bare:
		out = append(out, "nobody but the balancers was heard on the segment of late, so a cut between the two could not be told from a death")
	default:
		out = append(out, "nothing proved that this node's own reception worked")
	}
	out = append(out, ev.Signals...)
	for _, o := range around {
		if o.Kind == KindMember && o.Node == e.Node && o.Name == e.Peer && (o.To == "failed" || o.To == "left") && e.Peer != "" {
			out = append(out, fmt.Sprintf("gossip reported %s as %s %v %s", o.Name, o.To, round(max(o.Time.Sub(e.Time), e.Time.Sub(o.Time))), either(o.Time.After(e.Time), "later", "before")))
		}
		if o.Kind == KindOrder && ofBalancers(o.Name) && o.To == "asked" && !o.Time.After(e.Time.Add(time.Second)) {
			out = append(out, fmt.Sprintf("%s asked on %s for: %s", o.Who, o.Node, o.Name))
		}
	}
	if ev.PeerFitness >= 0 {
		out = append(out, fmt.Sprintf("fitness was %d here; the peer last said %d, and that it was %s", ev.Fitness, ev.PeerFitness, ev.PeerState))
	}
	return out
}

func paths(answers map[string]int) string {
	var words []string
	for path, n := range answers {
		words = append(words, many(n, "answer", "answers")+" by "+path)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func many(n int, one, more string) string {
	return fmt.Sprintf("%d %s", n, either(n == 1, one, more))
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// round keeps what a person can use of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(time.Second)
	case d > 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
