package vip_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// What a Claimer does on a mute kernel, in fake time.

// ask sends one question for theVIP and lets everything happen that follows at once.
func ask(t *testing.T, w vip.Wire) {
	t.Helper()
	check(t, w.Ask(t.Context(), theVIP))
	synctest.Wait()
}

func TestOnAMuteKernelTheLeaseIsABroom(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := &slowHost{Station: seg.Station()}
		node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
		check(t, node.Claim(t.Context()))
		wait(time.Second)
		adds := a.link.adds.Load()
		wait(time.Minute)
		if got := a.link.adds.Load() - adds; got != 6 {
			t.Errorf("renewed %d times in a minute, want 6", got)
		}
		if st := node.Status(); !st.Held || time.Until(st.LeaseUntil) < 50*time.Second {
			t.Errorf("status %+v", st)
		}
		check(t, a.DelAddr(onIface))
		wait(0)
		if !viptest.Has(t, a, theVIP) {
			t.Error("a deleted address waits for the renewal")
		}
		node.Crash(t)
		wait(vip.MutedLease + time.Second)
		if viptest.Has(t, a, theVIP) {
			t.Error("the broom has not swept")
		}
	})
}

func TestAnAnswerDoesNotWaitForNetlink(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, asker := &slowHost{Station: seg.Station()}, seg.Station().Wire()
		node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
		check(t, node.Claim(t.Context()))
		wait(time.Second)
		a.link.pause.Store(int64(30 * time.Second))
		wait(time.Second) // the next look has begun
		before := node.Status().Answered
		ask(t, asker)
		if got := node.Status().Answered - before; got != 1 {
			t.Errorf("%d answers at once, want 1", got)
		}
		node.Beat()
		wait(0)
		if at := node.Beat(); !at.Equal(time.Now()) {
			t.Errorf("last sign of life %v, now %v", at, time.Now())
		}
	})
}

func TestAFloodOfQuestionsIsAnsweredWithinBoundsAndCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, mad, sane := seg.Station(), seg.Station().Wire(), seg.Station().Wire()
		node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
		check(t, node.Claim(t.Context()))
		wait(time.Second)
		const flood, most = 3000, 1000
		for range flood {
			ask(t, mad)
		}
		st := node.Status()
		if st.Answered != most || st.Flooded != flood-most || st.Missed != 0 {
			t.Errorf("answered %d, refused %d, missed %d", st.Answered, st.Flooded, st.Missed)
		}
		ask(t, sane)
		if got := node.Status().Answered; got != most+1 {
			t.Error("another asker went without an answer")
		}
		wait(time.Second)
		ask(t, mad)
		if got := node.Status().Answered; got != most+2 {
			t.Error("a second later there is no answer either")
		}
	})
}

func TestWhatAShutGateHeldBackIsAnnouncedFromTheBeginning(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		var shut atomic.Bool
		node := viptest.Start(t, a, vip.Config{
			Addrs: []netip.Addr{theVIP}, Gate: func(time.Time) bool { return !shut.Load() },
		})
		check(t, node.Claim(t.Context()))
		wait(time.Second)
		shut.Store(true)
		start := time.Now()
		wait(90 * time.Second)
		if got := slices.DeleteFunc(announced(seg, a, start), notAfter); len(got) > 0 {
			t.Errorf("announced %v behind a shut gate", got)
		}
		if node.Status().Refused == 0 {
			t.Error("not counted")
		}
		shut.Store(false)
		wait(0)
		opened := time.Now()
		wait(6 * time.Second)
		got := slices.DeleteFunc(announced(seg, a, opened), notAfter)
		if len(got) != 7 || got[0] > 500*time.Millisecond {
			t.Fatalf("announced %v after the gate was opened", got)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 50 * ms, 150 * ms, 500 * ms, 1000 * ms, 2000 * ms, 5000 * ms}
		first := got[0]
		for i := range got {
			got[i] -= first
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
}

func TestWhoWasRefusedAnAnswerLearnsFromAnAnnouncement(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, client := seg.Station(), seg.Station()
		cfg := viptest.Muted(t, a, theVIP)
		cfg.Gate = func(triggered time.Time) bool { return triggered.IsZero() } // every question comes too late
		node := viptest.Start(t, a, cfg)
		check(t, node.Claim(t.Context()))
		wait(10 * time.Second)
		start := time.Now()
		if !viptest.PointsAt(t, client, theVIP, a) || time.Since(start) > 60*time.Millisecond {
			t.Errorf("the client waited %v", time.Since(start))
		}
		before := node.Status().Announced
		w := client.Wire()
		for range 1000 {
			ask(t, w)
		}
		wait(900 * time.Millisecond)
		if got := node.Status().Announced - before; got > 10 {
			t.Errorf("announced %d times for a thousand questions in one instant", got)
		}
	})
}

// slowAnswers is a station whose answers take a second to send.
type slowAnswers struct{ *viptest.Station }

type slowWire struct{ vip.Wire }

func (s slowAnswers) OpenWire() (vip.Wire, error) { return slowWire{s.Wire()}, nil }

func (w slowWire) Answer(ctx context.Context, q vip.Frame) error {
	time.Sleep(time.Second)
	return w.Wire.Answer(ctx, q)
}

func TestMuteAndReleaseWaitForAnAnswerUnderWay(t *testing.T) {
	for name, end := range map[string]func(*viptest.Node) error{
		"Mute":    func(n *viptest.Node) error { return n.Mute(context.Background()) },
		"Release": func(n *viptest.Node) error { return n.Release(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, seg *viptest.Segment) {
				a, asker := slowAnswers{seg.Station()}, seg.Station().Wire()
				node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
				check(t, node.Claim(t.Context()))
				wait(10 * time.Second)
				for range 3 {
					ask(t, asker)
				}
				check(t, end(node))
				sent := len(seg.Sent())
				wait(time.Minute)
				if got := len(seg.Sent()) - sent; got != 0 {
					t.Errorf("%d frames were sent afterwards", got)
				}
			})
		})
	}
}

func notAfter(d time.Duration) bool { return d <= 0 }

func TestADefenceThatTheGateRefusedIsNotCountedAsOne(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, foe := seg.Station(), seg.Station()
		var shut atomic.Bool
		var asked []time.Time
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}, Gate: func(at time.Time) bool {
			asked = append(asked, at)
			return !shut.Load()
		}})
		check(t, node.Claim(t.Context()))
		wait(6 * time.Second)
		before := node.Status().Announced
		shut.Store(true)
		shout(t, foe)
		wait(0)
		if node.Status().Announced != before || !asked[len(asked)-1].Equal(time.Now()) {
			t.Errorf("defended behind a shut gate, or the gate was not told why: %v", asked[len(asked)-1])
		}
		shut.Store(false)
		shout(t, foe)
		wait(0)
		if node.Status().Announced != before+1 {
			t.Error("not defended once the gate was open")
		}
	})
}

func TestWhereMutingIsRefusedTheKernelAnswersAndTheLeaseIsShort(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, client := seg.Station(), seg.Station()
		refused := errors.New("refused")
		a.RefuseMuting(nil, refused)
		node := viptest.Start(t, a, viptest.Muted(t, a, viptest.VIP4, viptest.VIP6))
		check(t, node.Claim(t.Context()))
		st := node.Status()
		if st.IPv4.Mode != vip.ModeKeeper || st.IPv6.Mode != vip.ModeLease || !errors.Is(st.IPv6.Err, refused) {
			t.Errorf("IPv4 %+v, IPv6 %+v", st.IPv4, st.IPv6)
		}
		if got := st.LeaseUntil.Sub(st.Renewed); got != vip.DefaultLease {
			t.Errorf("lease %v, want %v", got, vip.DefaultLease)
		}
		if err := node.Mute(t.Context()); !errors.Is(err, vip.ErrLeaseOnly) {
			t.Errorf("Mute: %v; want ErrLeaseOnly", err)
		}
		for range 2 { // held, and while there is something left after a crash
			if !viptest.PointsAt(t, client, viptest.VIP6, a) {
				t.Error("the kernel does not answer for IPv6")
			}
			check(t, client.Forget(viptest.VIP6))
			node.Crash(t)
		}
		wait(vip.DefaultLease)
		if mac, err := client.Resolve(viptest.VIP6); mac != nil || err != nil {
			t.Errorf("after the lease: %v, %v", mac, err)
		}
	})
}

func TestAnAnnouncementIsNotAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, peer := seg.Station(), seg.Station()
		node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
		node.SetPeers([]net.HardwareAddr{peer.Interface().MAC}) // nor defended against
		check(t, node.Claim(t.Context()))
		wait(6 * time.Second)
		sent := len(seg.Sent())
		shout(t, peer)
		wait(0)
		if got := len(seg.Sent()) - sent; got != 1 || node.Status().Answered != 0 {
			t.Errorf("%d frames were sent, want the announcement alone; %d answers", got, node.Status().Answered)
		}
	})
}

func TestWithoutAMuterAllIsLeaseOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		asker := seg.Station().Wire()
		node := viptest.Start(t, seg.Station(), vip.Config{Addrs: []netip.Addr{theVIP}})
		check(t, node.Claim(t.Context()))
		wait(0)
		ask(t, asker)
		if got := node.Status().Answered; got != 0 {
			t.Errorf("%d answers beside the kernel's", got)
		}
		if st := node.Status(); st.IPv4.Mode != vip.ModeLease || st.IPv6.Mode != vip.ModeNone {
			t.Errorf("IPv4 %v, IPv6 %v", st.IPv4.Mode, st.IPv6.Mode)
		}
		if st := node.Status(); st.IPv4.Err == nil {
			t.Error("status does not say why")
		}
		check(t, node.Kill())
		check(t, node.Release(t.Context()))
		check(t, node.Unmute(t.Context()))
	})
}
