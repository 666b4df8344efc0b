package lbcore

import (
	"testing"
	"time"
)

func TestSlowness(t *testing.T) {
	const rate = 100
	for _, tc := range []struct {
		name  string
		bytes int // every second
		busy  bool
		rate  int
		want  time.Duration // spent after a minute
	}{
		{"silent", 0, false, rate, time.Minute},
		{"dribbles", 1, false, rate, time.Minute - 600*time.Millisecond},
		{"half as fast", 50, false, rate, 30 * time.Second},
		{"just fast enough", 100, false, rate, 0},
		{"fast", 1e9, false, rate, 0},
		{"silent while the backend is waited for", 0, true, rate, 0},
		{"dribbles without a least rate", 1, false, -1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s slowness
			s.advance(0, !tc.busy, tc.rate)
			for i := range 60 {
				s.moved += tc.bytes
				s.advance(time.Duration(i+1)*time.Second, !tc.busy, tc.rate)
			}
			if s.spent != tc.want {
				t.Errorf("%v spent, want %v", s.spent, tc.want)
			}
		})
	}
}

func TestSlownessIsNotPaidInAdvance(t *testing.T) {
	var s slowness
	s.moved = 1 << 30
	s.advance(0, true, 100)
	s.advance(30*time.Second, true, 100)
	if s.spent != 30*time.Second {
		t.Errorf("%v spent, want 30s: it was fast before it fell silent", s.spent)
	}
}
