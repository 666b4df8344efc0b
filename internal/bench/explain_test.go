package main

import (
	"strings"
	"testing"
)

func TestEachChangeMustBeToldOnce(t *testing.T) {
	ev := new(struct{ Signals []string })
	began := change{Node: "lb1", From: "init", To: "backup", Reason: "started", Evidence: ev}
	took := change{Node: "lb1", From: "backup", To: "active", Reason: "active-silent", Peer: "lb2", Evidence: ev}
	now := groupNow{State: "active", Transitions: map[string]map[string]int{"backup": {"started": 1}, "active": {"active-silent": 1}}}
	bare := took
	bare.Evidence = nil
	for _, c := range []struct {
		name string
		told []change
		now  groupNow
		want string // the beginning of each line
	}{
		{"all is told", []change{began, took}, now, ""},
		{"an earlier keeper's part is its own", []change{began, took, began, took}, now, ""},
		{"one is missing", []change{began}, now, "the last change told is to backup|the change to active for active-silent is told 1 times too few"},
		{"one is told twice", []change{began, took, took}, now, "lb1: backup → active (active-silent lb2) follows a change to active|the change to active for active-silent is told -1 times too few"},
		{"the first is missing", []change{took}, now, "lb1: backup → active (active-silent lb2) follows a change to init|the change to backup for started is told 1"},
		{"without evidence", []change{began, bare}, now, "lb1: backup → active (active-silent lb2) has no evidence"},
		{"for another reason", []change{began, took}, groupNow{"active", map[string]map[string]int{"backup": {"started": 1}, "active": {"yielded": 1}}}, "the change to active for active-silent is told -1|the change to active for yielded is told 1"},
		{"nothing is told", nil, now, "the last change told is to init|the change to active for active-silent is told 1|the change to backup for started is told 1"},
	} {
		got := unexplained(c.told, c.now)
		want := strings.Split(c.want, "|")
		if c.want == "" {
			want = nil
		}
		wrong := len(got) != len(want)
		for i := range min(len(got), len(want)) {
			wrong = wrong || !strings.HasPrefix(got[i], want[i])
		}
		if wrong {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}

func TestOneChangeMustNameTheFault(t *testing.T) {
	other := change{Node: "lb2", From: "backup", To: "active", Reason: "yielded"}
	named := change{Node: "lb1", From: "active", To: "draining", Reason: "not-serving", Detail: "the proxy has ended, and another one is starting"}
	signal := change{Node: "lb1", From: "active", To: "draining", Reason: "conflict-lost", Evidence: &struct{ Signals []string }{[]string{"this node stood still for 5s"}}}
	for _, c := range []struct {
		fault   string
		changes []change
		want    bool
	}{
		{"proxy-kill", []change{other, named}, true},
		{"proxy-kill", []change{other}, false},
		{"proxy-kill", nil, true},
		{"node-freeze", []change{signal}, true},
		{"node-freeze", []change{named}, false},
		{"nothing", []change{other}, true}, // which broken names in another way
	} {
		if got := unnamed(c.fault, c.changes); (got == "") != c.want {
			t.Errorf("%s after %v: %q", c.fault, c.changes, got)
		}
	}
}

func TestEachFaultThatMovesSomethingHasAName(t *testing.T) {
	for _, h := range harms {
		if _, known := names[h.name]; !known && !h.stays {
			t.Errorf("nothing says what %s is called in the timeline", h.name)
		}
	}
	for name := range names {
		if _, known := harmOf(name); !known {
			t.Errorf("there is no fault %s", name)
		}
	}
}
