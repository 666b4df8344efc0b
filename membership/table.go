package membership

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// Bounds of the table.
const (
	keepFailed = 24 * time.Hour // so long a failed member is shown and tried again
	keepLeft   = time.Hour      // so long one that left is shown
	maxAbsent  = 1024           // failed and left members together
	maxRuns    = 16384          // runs known at once; further ones are refused
	maxEarly   = 256            // statements kept of runs that gossip has not told of yet
	maxRivals  = 8              // runs of one name that contests looks at
)

// run is one run of a member: one node of memberlist's.
type run struct {
	wire  string
	start int64 // in ms, by its host's clock: comparable between runs on one host only
	addr  netip.AddrPort
	said  statement
	raw   []byte // what gossip said last, as it came: memberlist's, not to be changed
	alive bool   // memberlist says so

	suspect    bool // this node's last probe was not answered
	superseded bool // a later run has its address, so it cannot be there, whatever memberlist still believes
	met        bool // this node has exchanged the whole state with it, so it knows this node
}

func (r *run) present() bool { return r.alive && !r.superseded && !r.said.leaving }

// repeats reports whether n is what r is known to be.
func (r *run) repeats(n *memberlist.Node) bool {
	ip, ok := netip.AddrFromSlice(n.Addr)
	return ok && r.raw != nil && netip.AddrPortFrom(ip.Unmap(), n.Port) == r.addr && bytes.Equal(r.raw, n.Meta)
}

// node returns what memberlist needs to send something to r.
func (r *run) node() *memberlist.Node {
	return &memberlist.Node{Name: r.wire, Addr: r.addr.Addr().AsSlice(), Port: r.addr.Port()}
}

// entry is all that is known under one name.
type entry struct {
	runs     []*run // those that are present or still alive to memberlist, and current
	current  *run   // the one that is shown
	shown    Member // what the last event has said, or would have
	conflict string // wire name of the live run that a conflict was reported about
}

// table maps memberlist's nodes to members, and finds out what happened. It is pure: it does not lock, and knows no
// clock. Each change is made to the runs first; settle then compares what is to be shown with what was shown.
type table struct {
	self    string // own wire name
	entries map[string]*entry
	runs    map[string]*run // by wire name
	early   map[string]statement
	entry   *admission
	dispute bool // set when a name may have come to have two live runs; contests says
}

func newTable(self string) *table {
	return &table{self: self, entries: map[string]*entry{}, runs: map[string]*run{}, early: map[string]statement{}, entry: newAdmission()}
}

// heard notes that memberlist holds the run wire for alive, at addr, saying said. The wire name must be a good one.
func (t *table) heard(wire string, addr netip.AddrPort, said statement, now time.Time) []Event {
	name, start, _ := parseWireName(wire)
	r := t.runs[wire]
	if r == nil {
		r = &run{wire: wire, start: start, said: said}
		t.runs[wire] = r
		if early, ok := t.early[wire]; ok && early.seq > said.seq {
			r.said = early
		}
		delete(t.early, wire)
	}
	e := t.entries[name]
	if e == nil {
		e = &entry{}
		t.entries[name] = e
	}
	if !slices.Contains(e.runs, r) {
		e.runs = append(e.runs, r)
	}
	if said.seq >= r.said.seq { // else a direct push was faster than gossip
		r.said = said
	}
	t.entry.moved(r.addr.Addr(), addr.Addr())
	r.addr, r.alive, r.suspect = addr, true, false
	for _, o := range e.runs {
		switch {
		case o == r || !o.present():
		case o.addr == addr: // one host, one clock: the later run has replaced the earlier
			o.superseded = o.start <= r.start && o.wire != t.self
			r.superseded = !o.superseded
		default:
			t.dispute = true
		}
	}
	return t.settle(name, e, now)
}

// pushed notes what the run wire said directly.
func (t *table) pushed(wire string, said statement, now time.Time) []Event {
	r := t.runs[wire]
	if r == nil {
		if len(t.early) < maxEarly || t.early[wire].seq != 0 {
			t.early[wire] = said
		}
		return nil
	}
	if said.seq <= r.said.seq {
		return nil
	}
	r.said = said
	name, _, _ := parseWireName(wire)
	return t.settle(name, t.entries[name], now)
}

// gone notes that memberlist has given the run wire up.
func (t *table) gone(wire string, now time.Time) []Event {
	r := t.runs[wire]
	if r == nil {
		return nil
	}
	r.alive = false
	name, _, _ := parseWireName(wire)
	e := t.entries[name]
	for _, o := range e.runs {
		if o.addr == r.addr {
			o.superseded = false // if that host's clock was set back, the wrong one was chosen
		}
	}
	return t.settle(name, e, now)
}

// suspect notes whether this node's last probe of the run wire was answered. It is worth no event.
func (t *table) suspect(wire string, suspect bool, now time.Time) {
	r := t.runs[wire]
	if r == nil || r.suspect == suspect || wire == t.self {
		return
	}
	r.suspect = suspect
	name, _, _ := parseWireName(wire)
	t.settle(name, t.entries[name], now)
}

// settle chooses the run to show and returns what has happened since the last time.
func (t *table) settle(name string, e *entry, now time.Time) []Event {
	e.current = t.choose(e)
	e.runs = slices.DeleteFunc(e.runs, func(r *run) bool {
		drop := !r.alive && r != e.current
		if drop {
			t.drop(r)
		}
		return drop
	})
	was := e.shown
	e.shown = t.show(name, e.current)
	e.shown.Since = was.Since
	if was.State != e.shown.State {
		e.shown.Since = now
	}
	ev := Event{Member: e.shown, At: now}
	switch before, after := was.State.Present(), e.shown.State.Present(); {
	case !before && after:
		ev.Kind = EventJoin
	case before && !after && e.shown.State == StateLeft:
		ev.Kind = EventLeave
	case before && !after:
		ev.Kind = EventFail
	case before && after && (was.Addr != e.shown.Addr || was.Port != e.shown.Port || !was.Meta.Equal(e.shown.Meta)):
		ev.Kind = EventUpdate
	default:
		return nil
	}
	return []Event{ev}
}

// choose returns the run to show: the own one, else the one shown as long as it is present, else the latest present
// one, else the one shown last.
func (t *table) choose(e *entry) *run {
	if e.current != nil && (e.current.wire == t.self || e.current.present()) {
		return e.current
	}
	var best *run
	for _, r := range e.runs {
		if r.wire == t.self {
			return r
		}
		if r.present() && (best == nil || r.start > best.start) {
			best = r
		}
	}
	if best == nil && e.current != nil {
		return e.current
	}
	if best == nil {
		return e.runs[0]
	}
	return best
}

func (t *table) show(name string, r *run) Member {
	m := Member{Name: name, Addr: r.addr.Addr(), Port: r.addr.Port(), Meta: r.said.meta, Self: r.wire == t.self}
	switch {
	case r.said.leaving:
		m.State = StateLeft
	case !r.present():
		m.State = StateFailed
	case r.suspect:
		m.State = StateSuspect
	default:
		m.State = StateAlive
	}
	return m
}

// contests returns, by name, the runs of those names that more than one present run uses. They differ in address.
func (t *table) contests() map[string][]run {
	found := map[string][]run{}
	for name, e := range t.entries {
		var present []run
		for _, r := range e.runs {
			if r.present() && len(present) < maxRivals {
				present = append(present, *r)
			}
		}
		if len(present) > 1 {
			found[name] = present
		} else {
			e.conflict = ""
		}
	}
	return found
}

// contested notes which runs of name (by wire name) have answered a probe just now. Where the one shown is silent and
// another is not, the other is shown; where both are live, that is a conflict, reported once.
func (t *table) contested(name string, answered map[string]bool, now time.Time) []Event {
	e := t.entries[name]
	if e == nil {
		return nil
	}
	var other *run
	for _, r := range e.runs {
		if r != e.current && r.present() && answered[r.wire] && (other == nil || r.start > other.start) {
			other = r
		}
	}
	switch {
	case other == nil:
		return nil
	case e.current.wire != t.self && !answered[e.current.wire]:
		e.current = other
		return t.settle(name, e, now)
	case e.conflict == other.wire:
		return nil
	}
	e.conflict = other.wire
	return []Event{{Kind: EventConflict, Member: e.shown, Other: other.addr, At: now}}
}

// members returns everybody, sorted by name.
func (t *table) members() []Member {
	all := make([]Member, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e.shown)
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// expire forgets members that are absent for too long, and the oldest where there are too many.
func (t *table) expire(now time.Time) {
	var absent []string
	for name, e := range t.entries {
		age := now.Sub(e.shown.Since)
		switch {
		case e.shown.State.Present():
		case e.shown.State == StateLeft && age > keepLeft, age > keepFailed:
			t.forget(name)
		default:
			absent = append(absent, name)
		}
	}
	if len(absent) <= maxAbsent {
		return
	}
	slices.SortFunc(absent, func(a, b string) int {
		return t.entries[a].shown.Since.Compare(t.entries[b].shown.Since)
	})
	for _, name := range absent[:len(absent)-maxAbsent] {
		t.forget(name)
	}
}

func (t *table) forget(name string) {
	for _, r := range t.entries[name].runs {
		t.drop(r)
	}
	delete(t.entries, name)
}

func (t *table) drop(r *run) {
	if t.runs[r.wire] == r {
		t.entry.moved(r.addr.Addr(), netip.Addr{})
		delete(t.runs, r.wire)
	}
}
