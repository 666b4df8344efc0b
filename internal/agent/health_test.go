package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHealthCountsRiseAndFall(t *testing.T) {
	for _, tc := range []struct {
		what       string
		rise, fall int
		results    string // + passed, - failed, * the app begins anew
		want       string // W well, . not, after each
	}{
		{"a new app needs one", 3, 2, "+", "W"},
		{"one failure is none", 1, 2, "+-+-+", "WWWWW"},
		{"fall in a row", 1, 3, "+--+---", "WWWWWW."},
		{"rise in a row after a fall", 3, 1, "+-++-+++", "W......W"},
		{"anew", 3, 2, "+--*+", "WW..W"},
		{"never well", 1, 1, "---", "..."},
	} {
		h := health{rise: tc.rise, fall: tc.fall}
		h.begin()
		var got strings.Builder
		for _, r := range tc.results {
			if r == '*' {
				h.begin()
			} else {
				h.observe(r == '+')
			}
			got.WriteByte(map[bool]byte{true: 'W', false: '.'}[h.well])
		}
		if got.String() != tc.want {
			t.Errorf("%s: %s gives %s, want %s", tc.what, tc.results, got.String(), tc.want)
		}
	}
}

func TestBackoffDoublesUpToItsBoundAndForgetsAfterALongRun(t *testing.T) {
	b := backoff{least: time.Second, most: 5 * time.Second}
	var got []time.Duration
	for _, ran := range []time.Duration{0, 0, 0, 0, 4 * time.Second, 5 * time.Second, 0} {
		got = append(got, b.after(ran))
	}
	if want := "[1s 2s 4s 5s 5s 1s 2s]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
