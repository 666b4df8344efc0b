package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// What a balancer's timeline says must be all that has happened to it, each change once, and
// each for a reason that is the fault's. What is compared with it is the machines' own count.

// change is a change of state, as 'tandem timeline --json' tells it.
type change struct {
	Seq      uint64
	Time     time.Time
	Node     string
	From, To string
	Reason   string
	Peer     string
	Detail   string
	Evidence *struct{ Signals []string }
}

// told is all that explains it.
func (c change) told() string {
	words := []string{c.String(), c.Detail}
	if c.Evidence != nil {
		words = append(words, c.Evidence.Signals...)
	}
	return strings.Join(words, "; ")
}

// names are what a fault is called by the changes of state that it leads to: where there are any, at
// least one of them must have one of these words. A busy machine adds changes of its own. A fault that
// is not here leaves every state as it is.
var names = map[string][]string{
	"power-loss":   {"active-silent"},
	"proxy-kill":   {"the proxy has ended"},
	"proxy-freeze": {"of the proxy stands still"},
	"loop-stuck":   {"of the proxy stands still"},
	"keeper-kill":  {"the keeper of", "active-silent"}, // without a state channel nobody can tell
	"keeper-stuck": {"stood still"},
	"node-freeze":  {"stood still"},
	"stop":         {"shutdown", "handover"},

	"proxy-kill-alone":  {"the proxy has ended"},
	"keeper-kill-alone": {"the keeper before this one has ended"},

	"partition":      {"active-silent"},
	"deaf-backup":    {"deaf", "isolated"},
	"deaf-active":    {"isolated", "not-useful"},
	"mute-active":    {"active-silent"},
	"isolate-active": {"isolated"},
	"link-blip":      {"carrier"},
	"link-down-up":   {"carrier"},
	"restart-both":   {"started"},
}

// unnamed says that changes do not name the fault that led to them; "" if one does.
func unnamed(fault string, changes []change) string {
	words, known := names[fault]
	if !known || len(changes) == 0 {
		return ""
	}
	var all []string
	for _, c := range changes {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.told(), w) }) {
			return ""
		}
		all = append(all, c.told())
	}
	return fmt.Sprintf("no change names the fault by one of %q: %s", words, strings.Join(all, ", "))
}

func (c change) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s → %s (%s %s", c.Node, c.From, c.To, c.Reason, c.Peer)) + ")"
}

// groupNow is a VIP group, as 'tandem status --json' tells it: where it is, and how often it has
// entered each state for each reason since the keeper started.
type groupNow struct {
	State       string
	Transitions map[string]map[string]int
}

// unexplained names each change of one balancer that its timeline does not tell exactly once.
func unexplained(told []change, now groupNow) (out []string) {
	first := 0 // of the present keeper: a machine begins in init
	for i, c := range told {
		if c.From == "init" {
			first = i
		}
	}
	missing, state := map[string]int{}, "init"
	for to, why := range now.Transitions {
		for reason, n := range why {
			missing[to+" for "+reason] = n
		}
	}
	for _, c := range told[first:] {
		if c.From != state {
			out = append(out, fmt.Sprintf("%v follows a change to %s", c, state))
		}
		if c.Evidence == nil {
			out = append(out, fmt.Sprintf("%v has no evidence", c))
		}
		state = c.To
		missing[c.To+" for "+c.Reason]--
	}
	if state != now.State {
		out = append(out, fmt.Sprintf("the last change told is to %s, and the state is %s", state, now.State))
	}
	for _, what := range slices.Sorted(maps.Keys(missing)) {
		if n := missing[what]; n != 0 {
			out = append(out, fmt.Sprintf("the change to %s is told %d times too few", what, n))
		}
	}
	return out
}
