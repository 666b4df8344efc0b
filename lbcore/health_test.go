package lbcore

import "testing"

// In script, + is a good check, - a bad one and e an excuse; in states, U is up and D down
// after it.
func TestHealth(t *testing.T) {
	for _, tc := range []struct {
		name           string
		rise, fall     int
		script, states string
	}{
		{"a new backend is up after one good check", 5, 3, "+", "U"},
		{"a new backend that is not ready yet needs one good check too", 5, 3, "--+", "DDU"},
		{"fall bad checks in a row take it down", 2, 3, "+---", "UUUD"},
		{"a good check between them starts the count again", 2, 3, "+--+--+---", "UUUUUUUUUD"},
		{"rise good checks in a row bring it back", 2, 3, "+---+-++", "UUUDDDDU"},
		{"with fall 1 the first bad check takes it down", 2, 1, "+-++-", "UDDUD"},
		{"with rise 1 the first good check brings it back", 1, 2, "+--+", "UUDU"},
		{"the count of bad checks does not outlive a return", 2, 2, "+--++-+--", "UUDDUUUUD"},
		{"an excused backend is up after one good check", 5, 2, "+--e+", "UUDDU"},
		{"an excuse is for once: rise counts after the next fall", 2, 1, "+-e+-++", "UDDUDDU"},
		{"an excuse forgives bad checks before a fall", 2, 2, "+-e--", "UUUUD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := health{rise: tc.rise, fall: tc.fall}
			got := ""
			for _, c := range tc.script {
				was := h.up
				var turned bool
				switch c {
				case '+':
					turned = h.good()
				case '-':
					turned = h.bad()
				default:
					h.excuse()
				}
				if turned != (h.up != was) {
					t.Errorf("after %q: turned %v, but up went from %v to %v", got, turned, was, h.up)
				}
				got += map[bool]string{true: "U", false: "D"}[h.up]
			}
			if got != tc.states {
				t.Errorf("%s: states %s, want %s", tc.script, got, tc.states)
			}
		})
	}
}
