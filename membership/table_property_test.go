package membership

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever gossip, pushes, probes and time do in whatever order: the events of each member tell its story without a
// gap, whoever follows them knows what Members says, and nothing piles up.
func TestEventsAndMembersTellTheSameStory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTable("me#5-A")
		now := time.Unix(1000, 0)
		told := map[string]Member{}
		alive := map[string]bool{} // by wire, as memberlist would have it
		note := func(events []Event) {
			for _, ev := range events {
				was, m := told[ev.Member.Name], ev.Member
				ok := map[EventKind]bool{
					EventJoin:     !was.State.Present() && m.State.Present(),
					EventUpdate:   was.State.Present() && m.State.Present(),
					EventLeave:    was.State.Present() && m.State == StateLeft,
					EventFail:     was.State.Present() && m.State == StateFailed,
					EventConflict: was.State.Present() && m.State.Present() && ev.Other.IsValid(),
				}[ev.Kind]
				if !ok {
					t.Fatalf("%v after %v: %+v", ev.Kind, was.State, m)
				}
				told[m.Name] = m
			}
		}
		heard := func(wire string, addr byte, s statement) {
			alive[wire] = true
			note(tab.heard(wire, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, addr}), 7946), s, now))
		}
		heard("me#5-A", 1, said(1, "mine"))
		drawWire := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%s#%d-A", rapid.SampledFrom([]string{"me", "s1", "s2"}).Draw(t, "name"), rapid.IntRange(1, 9).Draw(t, "start"))
		}).Filter(func(wire string) bool { return wire != "me#5-A" })
		drawSaid := rapid.Custom(func(t *rapid.T) statement {
			s := said(rapid.Uint64Range(1, 4).Draw(t, "seq"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "pool"))
			s.leaving = rapid.IntRange(0, 3).Draw(t, "leaving") == 0
			return s
		})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			wire := drawWire.Draw(t, "wire")
			switch rapid.SampledFrom([]string{"heard", "pushed", "gone", "suspect", "contested", "time"}).Draw(t, "what") {
			case "heard":
				heard(wire, byte(rapid.IntRange(1, 3).Draw(t, "addr")), drawSaid.Draw(t, "said"))
			case "pushed":
				note(tab.pushed(wire, drawSaid.Draw(t, "said"), now))
			case "gone":
				delete(alive, wire)
				note(tab.gone(wire, now))
			case "suspect":
				tab.suspect(wire, rapid.Bool().Draw(t, "suspect"), now)
			case "contested":
				for name, runs := range tab.contests() {
					answered := map[string]bool{"me#5-A": true}
					for _, r := range runs {
						answered[r.wire] = rapid.Bool().Draw(t, "answers")
					}
					note(tab.contested(name, answered, now))
				}
			case "time":
				now = now.Add(time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second)
				tab.expire(now)
			}
			checkTable(t, tab, told, alive)
		}
	})
}

func checkTable(t *rapid.T, tab *table, told map[string]Member, alive map[string]bool) {
	for _, m := range tab.members() {
		was := told[m.Name]
		if m.State.Present() != was.State.Present() || m.State.Present() && (m.Addr != was.Addr || !m.Meta.Equal(was.Meta)) {
			t.Fatalf("shown is %+v, told was %+v", m, was)
		}
		if m.Self && m.State != StateAlive {
			t.Fatalf("this node is shown as %v", m.State)
		}
	}
	for name, m := range told {
		if tab.entries[name] == nil && m.State.Present() {
			t.Fatalf("%s was forgotten while it was there", name)
		}
	}
	kept := 0
	for name, e := range tab.entries {
		for _, r := range e.runs {
			kept++
			if tab.runs[r.wire] != r {
				t.Fatalf("%s: run %s is not in the table of runs", name, r.wire)
			}
		}
	}
	if kept != len(tab.runs) || kept > len(alive)+len(tab.entries) {
		t.Fatalf("%d runs in entries, %d in the table, %d alive, %d names", kept, len(tab.runs), len(alive), len(tab.entries))
	}
}
