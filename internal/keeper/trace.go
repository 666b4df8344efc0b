package keeper

import (
	"slices"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	// maxSignals bounds the signals that one change is reported with.
	maxSignals = 8
	// signalAge is how old a signal may be to have to do with a change.
	signalAge = 10 * time.Second
	// announceWait bounds how long a change waits for its announcement, to be reported as one.
	announceWait = 50 * time.Millisecond
)

// trace remembers what led to a group's next change of state, as the timeline tells it: what
// the machine was told and what it asked for. It decides nothing.
type trace struct {
	heard      time.Time // the peer that fell silent, for the last time
	firstQuery time.Time // of this silence; zero: there is none
	rounds     int
	answers    map[string]int
	proof      bool
	third      bool // somebody but balancers is on the segment
	decided    time.Time
	claimed    time.Time
	announcing time.Time // since when the first announcement is under way: it may be done before the change is told
	signals    []signal
	waiting    *ipc.Transition // for its announcement
	life       string          // how this keeper found the node, where that was not as after a start; of its first changes
}

type signal struct {
	at   time.Time
	what string
}

// saw takes in an event BEFORE the machine does.
func (t *trace) saw(ev election.Event, now time.Time) {
	switch ev := ev.(type) {
	case election.Received:
		t.proof = true
	case election.Stations:
		t.third = ev.Third
	case election.Answered:
		if t.rounds > 0 {
			t.answers[ev.Path.String()]++
		}
	case election.Claimed:
		t.claimed = now
	case election.Gone:
		t.signal(now, "the state channel says that the keeper of "+ev.Node+" has ended")
	case election.Paused:
		t.signal(now, "this node stood still for "+ev.For.Round(time.Millisecond).String())
	case election.Conflict:
		t.signal(now, "a host that is no balancer claims the VIP: "+ev.MAC)
	case election.Isolated:
		if ev.Yes {
			t.signal(now, "nobody is heard on the VIP's segment")
		}
	case election.Serving:
		if !ev.OK {
			t.signal(now, "this node does not serve: "+ev.Reason)
		}
	case election.Handover:
		t.signal(now, "an operator asked for a handover here")
	case election.Shutdown:
		t.signal(now, "this balancer was asked to end")
	}
}

func (t *trace) signal(now time.Time, what string) {
	if n := len(t.signals); n > 0 && t.signals[n-1].what == what {
		t.signals[n-1].at = now
		return
	}
	if len(t.signals) >= maxSignals {
		t.signals = slices.Delete(t.signals, 0, 1)
	}
	t.signals = append(t.signals, signal{now, what})
}

// did takes in an action that the machine asks for.
func (t *trace) did(a election.Action, m *election.Machine, now time.Time) {
	switch a := a.(type) {
	case election.Query:
		switch {
		case a.Round == 0:
		case a.Round == 1 || t.firstQuery.IsZero():
			t.firstQuery, t.rounds, t.answers, t.proof, t.heard = now, a.Round, make(map[string]int), false, time.Time{}
			t.decided = time.Time{} // that of a claim that was given up before it was made
			for _, p := range m.Status().Peers {
				if p.Node == a.Node {
					t.heard = p.Heard
				}
			}
		default:
			t.rounds = a.Round
		}
	case election.Probe:
		t.decided = now
	case election.Claim:
		if t.decided.IsZero() {
			t.decided = now
		}
	case election.Announce:
		t.announcing = now
	}
}

// changed makes the report of a change, and forgets what led to it. st is the machine's
// status after it.
func (t *trace) changed(c election.Changed, st election.Status, interval time.Duration, now time.Time) *ipc.Transition {
	out := &ipc.Transition{
		At: now, Group: st.Group, From: c.From.String(), To: c.To.String(),
		Reason: c.Reason.Why.String(), Peer: c.Reason.Node, Detail: c.Reason.Detail, Epoch: c.Epoch,
		Evidence: ipc.Evidence{Fitness: int(st.Fitness), PeerFitness: -1, Bare: !t.third},
	}
	if why := c.Reason.Why; t.life != "" && (why == election.WhyStarted || why == election.WhyNoActive) {
		out.Evidence.Signals = append(out.Evidence.Signals, t.life)
	}
	for _, s := range t.signals {
		if now.Sub(s.at) < signalAge {
			out.Evidence.Signals = append(out.Evidence.Signals, s.what)
		}
	}
	i := slices.IndexFunc(st.Peers, func(p election.Peer) bool { return p.Node == c.Reason.Node })
	if i < 0 && c.Reason.Node == "" && len(st.Peers) == 1 {
		i = 0
	}
	if i >= 0 {
		p := st.Peers[i]
		out.Evidence.PeerFitness, out.Evidence.PeerState = int(p.Fitness), p.State.String()
		if p.Interval > 0 {
			interval = p.Interval
		}
	}
	t.silence(c, &out.Evidence, interval, now)
	if c.To == election.Active && !t.decided.IsZero() && t.claimed.After(t.decided) {
		out.Phases = t.phases(c.Reason.Why)
	}
	life := t.life
	if c.To == election.Active {
		life = ""
	}
	*t = trace{third: t.third, announcing: t.announcing, life: life}
	return out
}

// silence adds how long nobody was heard, and what was done to find out why.
func (t *trace) silence(c election.Changed, e *ipc.Evidence, interval time.Duration, now time.Time) {
	switch c.Reason.Why {
	case election.WhyActiveSilent, election.WhyNoActive, election.WhyDeaf, election.WhyYielded, election.WhyResumed:
	default:
		return
	}
	if !t.decided.IsZero() {
		now = t.decided
	}
	e.Rounds, e.Answers, e.Proof = t.rounds, t.answers, t.proof
	if !t.heard.IsZero() && interval > 0 {
		e.Silence = now.Sub(t.heard)
		e.Missed = int(e.Silence / interval)
	}
}

// phases are those of a claim. Only one that follows a silence begins with the queries about it.
func (t *trace) phases(why election.Why) *ipc.Phases {
	p := &ipc.Phases{Claim: t.claimed.Sub(t.decided)}
	if !t.firstQuery.IsZero() && (why == election.WhyActiveSilent || why == election.WhyNoActive) {
		p.Decide = t.decided.Sub(t.firstQuery)
		if !t.heard.IsZero() {
			p.Detect = t.firstQuery.Sub(t.heard)
		}
	}
	return p
}

// entered counts how often each state was entered, by reason.
type entered map[way]uint64

type way struct {
	to  election.State
	why election.Why
}

func (e *entered) count(c election.Changed) {
	if *e == nil {
		*e = make(entered)
	}
	(*e)[way{c.To, c.Reason.Why}]++
}

func (e entered) byState() map[string]map[string]uint64 {
	out := make(map[string]map[string]uint64)
	for w, n := range e {
		to := w.to.String()
		if out[to] == nil {
			out[to] = make(map[string]uint64)
		}
		out[to][w.why.String()] = n
	}
	return out
}

// chronicle sends each change to control once. The latest are kept for a control process
// that is started again: what its predecessor had not written yet would be lost.
type chronicle struct {
	boot  uint64
	last  uint64
	newer []*ipc.Transition // at most maxChronicle, oldest first
}

// maxChronicle is well below what may wait to be sent to a process.
const maxChronicle = 64

// add numbers a change.
func (c *chronicle) add(t *ipc.Transition) {
	c.last++
	t.Boot, t.ID = c.boot, c.last
	if len(c.newer) >= maxChronicle {
		c.newer = slices.Delete(c.newer, 0, 1)
	}
	c.newer = append(c.newer, t)
}
