package agent

import (
	"errors"
	"testing"
	"time"
)

// One that refuses is mostly only starting; one that is silent has enough to do.
func TestAnAppIsAskedSoonAgainWhileItRefuses(t *testing.T) {
	c := &checker{every: 2 * time.Second, probe: probe{timeout: time.Second}}
	refused := errors.New("connection refused")
	for _, tc := range []struct {
		what         string
		err          error
		took, unwell time.Duration
		want         time.Duration
	}{
		{"well", nil, time.Millisecond, 0, 2 * time.Second},
		{"refuses", refused, time.Millisecond, time.Second, eagerInterval},
		{"refuses for long", refused, time.Millisecond, eagerTime, 2 * time.Second},
		{"silent", refused, time.Second, time.Second, 2 * time.Second},
	} {
		if got := c.next(tc.err, tc.took, tc.unwell); got != tc.want {
			t.Errorf("%s: asked again after %v, want %v", tc.what, got, tc.want)
		}
	}
}
