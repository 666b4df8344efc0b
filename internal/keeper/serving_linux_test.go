package keeper

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

func TestE3ServingIsWhatEachPartHasShownOfLate(t *testing.T) {
	s := newServingState(20 * time.Millisecond)
	beat := time.Time{}
	s.beats = append(s.beats, func() time.Time { return beat })
	at := s.start.Add(time.Minute)
	s.came(at)
	if why := s.check(at); why != "" {
		t.Errorf("before the first sign of life of the claimer: %q", why)
	}
	beat = at
	for _, tc := range []struct {
		what string
		do   func()
		want string
	}{
		{"all is well", func() {}, ""},
		{"the loop hangs", func() { at = at.Add(loopLimit + time.Millisecond); beat = at }, "loop"},
		{"it goes on", func() { s.came(at) }, ""},
		{"what answers hangs", func() { at = at.Add(loopLimit + time.Millisecond); s.came(at) }, "on the wire"},
		{"it goes on, too", func() { beat = at }, ""},
		{"the lease ran out", func() { s.setLease(at.Add(-time.Millisecond)) }, "lease"},
		{"nothing is held", func() { s.setLease(time.Time{}) }, ""},
	} {
		tc.do()
		if why := s.check(at); why != "" && tc.want == "" || !strings.Contains(why, tc.want) {
			t.Errorf("%s: %q, want %q", tc.what, why, tc.want)
		}
	}
	if slow := newServingState(10 * time.Second); slow.limit < 20*time.Second {
		t.Errorf("with adverts every 10 s a sign of life may be %v old; it is asked for no more often", slow.limit)
	}
}

// stuckHost is a station whose wire does not take answers until it is told to.
type stuckHost struct {
	*viptest.Station
	release chan struct{}
}

type stuckWire struct {
	vip.Wire
	release chan struct{}
}

func (h stuckHost) OpenWire() (vip.Wire, error) { return stuckWire{h.Station.Wire(), h.release}, nil }

func (w stuckWire) Answer(ctx context.Context, q vip.Frame) error {
	<-w.release
	return w.Wire.Answer(ctx, q)
}

// A claimer that hangs in the middle of an answer is noticed within the limit, and so is its end.
func TestE3AnActiveThatCannotAnswerDoesNotServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seg := viptest.NewSegment()
		h, asker := stuckHost{seg.Station(), make(chan struct{})}, seg.Station().Wire()
		addr := netip.MustParseAddr("10.77.0.100")
		node := viptest.Start(t, h, viptest.Muted(t, h, addr))
		if err := node.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := newServingState(20 * time.Millisecond)
		s.beats = append(s.beats, node.Beat)
		look := func(span time.Duration) (why string) { // as the sender does
			for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				s.came(time.Now())
				why = s.check(time.Now())
			}
			return why
		}
		if why := look(3 * time.Second); why != "" {
			t.Fatalf("all is well, but %q", why)
		}
		if err := asker.Ask(t.Context(), addr); err != nil {
			t.Fatal(err)
		}
		if why := look(loopLimit / 2); why != "" {
			t.Errorf("after half the limit: %q", why)
		}
		if why := look(loopLimit); why == "" {
			t.Error("it hangs, and nobody has noticed")
		}
		close(h.release)
		if why := look(100 * time.Millisecond); why != "" {
			t.Errorf("it goes on, but %q", why)
		}
	})
}
