package timeline

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// part is what node told: entries that many milliseconds after noon, by its own clock.
func part(node string, clock, exact time.Duration, ms ...int) Part {
	p := Part{Clock: clock, Exact: exact}
	for i, at := range ms {
		p.Entries = append(p.Entries, Entry{Seq: uint64(i + 1), Node: node, Time: noon.Add(time.Duration(at) * time.Millisecond)})
	}
	return p
}

func TestTimelinesAreMergedByOneClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Part
		want  string
	}{
		{"none", nil, ""},
		{"the same clock", []Part{part("lb1", 0, 0, 0, 20), part("lb2", 0, 0, 10, 30)}, "lb1+0 lb2+10 lb1+20 lb2+30"},
		{"a clock that is ahead", []Part{part("lb1", 0, 0, 0, 20), part("lb2", time.Second, time.Millisecond, 1010, 1030)}, "lb1+0 lb2+10 lb1+20 lb2+30"},
		{"a clock that may be the same", []Part{part("lb1", 0, 0, 0, 20), part("lb2", -4*time.Millisecond, 5*time.Millisecond, 10)}, "lb1+0 lb2+10 lb1+20"},
		{"one tells of something earlier", []Part{part("lb1", 0, 0, 10, 2, 20), part("lb2", 0, 0, 5, 15)}, "lb1+2 lb2+5 lb1+10 lb2+15 lb1+20"},
		{"a clock that was set back by an hour", []Part{part("lb1", 0, 0, 10, 10-3600_000, 20-3600_000), part("lb2", 0, 0, 5, 15)}, "lb2+5 lb1+10 lb1+-3599990 lb1+-3599980 lb2+15"},
	} {
		var got []string
		for _, e := range Merge(c.parts...) {
			got = append(got, fmt.Sprintf("%s+%d", e.Node, e.Time.Sub(noon).Milliseconds()))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestWhyTellsOfTheClusterOrOfOneNode(t *testing.T) {
	state := func(node string, ms int, from, to, reason, peer string) Entry {
		return Entry{Seq: uint64(ms + 1), Node: node, Time: noon.Add(time.Duration(ms) * time.Millisecond), Kind: KindState, Group: "default", From: from, To: to, Reason: reason, Peer: peer}
	}
	all := Merge(
		Part{Entries: []Entry{
			{Seq: 1, Node: "lb1", Time: noon.Add(-time.Second), Kind: KindOrder, Name: "handover", To: "asked", Who: "uid 7"},
			state("lb1", 0, "active", "draining", "handover", "lb2"), state("lb1", 900, "draining", "backup", "handover", ""),
		}},
		Part{Entries: []Entry{
			state("lb2", 5, "backup", "active", "handover", "lb1"),
			{Seq: 9, Node: "lb2", Time: noon.Add(time.Second), Kind: KindMember, Name: "lb3", To: "left", Detail: "balancer at 10.0.0.3"},
			{Seq: 10, Node: "lb2", Time: noon.Add(time.Second), Kind: KindMember, Name: "web1", To: "left", Detail: "agent at 10.0.0.21"},
			{Seq: 11, Node: "lb2", Time: noon.Add(time.Second), Kind: KindOrder, Name: "drain web1", To: "asked", Who: "uid 8"},
			{Seq: 12, Node: "lb2", Time: noon.Add(time.Second), Kind: KindBackend, Name: "web1", To: "down"},
		}},
	)
	for node, want := range map[string]string{"": "lb2 became active", "lb2": "lb2 became active", "lb1": "lb1 gave up being active"} {
		s, ok := Why(all, "default", node)
		if !ok || !strings.HasPrefix(s.Headline, want) || len(s.Events) != 5 {
			t.Errorf("of %q: %v, %q with %d events; want %q with all 5", node, ok, s.Headline, len(s.Events), want)
		}
	}
	if _, ok := Why(all, "default", "lb3"); ok {
		t.Error("a node that did nothing has a story")
	}
	// The fault of a backup is not why the active is active; where nobody ever was, it is what there is to tell.
	fault := state("lb1", 2000, "backup", "fault", "deaf", "lb2")
	if s, _ := Why(append(all, fault), "", ""); !strings.HasPrefix(s.Headline, "lb2 became active") {
		t.Errorf("the fault of a backup is told: %q", s.Headline)
	}
	for _, node := range []string{"lb1", ""} {
		if s, _ := Why([]Entry{fault}, "", node); !strings.HasPrefix(s.Headline, "lb1 became fault") {
			t.Errorf("%q: %q", node, s.Headline)
		}
	}
}
