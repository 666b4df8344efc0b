package lbcore

import (
	"strings"
	"testing"
	"time"
)

// inStates makes a backend of each letter: u up, d down, n not checked yet, D draining; and
// after a slash the same as backups.
func inStates(letters string) (list []*Backend) {
	primary, backup, _ := strings.Cut(letters, "/")
	list = named(len(primary)+len(backup), nil)
	for i, l := range primary + backup {
		list[i].backup.Store(i >= len(primary))
		list[i].drain.Store(l == 'D')
		st := status{up: l == 'u' || l == 'D', checked: time.Unix(1, 0)}
		if l == 'n' {
			st.checked = time.Time{}
		}
		list[i].status.Store(&st)
	}
	return list
}

func TestWhoIsGivenRequests(t *testing.T) {
	for _, tc := range []struct {
		states    string
		threshold int
		want      string // by number
		kind      string
	}{
		{"uuu", 0, "012", ""},
		{"udu", 0, "02", ""},
		{"uD", 0, "0", ""},
		{"ddd", 0, "", ""},
		{"", 50, "", ""},
		{"du/uu", 0, "1", ""},
		{"dd/ud", 0, "2", "spare"},
		{"dD/ud", 0, "2", "spare"},
		{"dd/dd", 0, "", ""},
		{"uudd", 50, "01", ""},
		{"uddd", 50, "0123", "panic"},
		{"dddd", 50, "0123", "panic"},
		{"uddd", 0, "0", ""},
		{"uddd/uu", 50, "0123", "panic"}, // backups are for when nobody else is up
		{"dddd/u", 50, "4", "spare"},     // who is up before who is down
		{"dddd/d", 50, "0123", "panic"},
		{"nnnn", 50, "", ""},    // at start nobody is known
		{"nnnu", 50, "3", ""},   // and they do not make few of those that are
		{"uDDDD", 100, "0", ""}, // who drains is none of few
	} {
		list := inStates(tc.states)
		got := tiersOf(list, tc.threshold)
		var who strings.Builder
		for _, b := range got.avail {
			who.WriteString(strings.TrimPrefix(b.ID(), "s"))
		}
		kind := map[[2]bool]string{{true, false}: "spare", {false, true}: "panic"}[[2]bool{got.spare, got.panics}]
		if who.String() != tc.want || kind != tc.kind {
			t.Errorf("%s, threshold %d: %s %s, want %s %s", tc.states, tc.threshold, who.String(), kind, tc.want, tc.kind)
		}
	}
}
