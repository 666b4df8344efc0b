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

var (
	theVIP  = viptest.VIP4
	onIface = netip.PrefixFrom(theVIP, 32)
)

// inBubble runs the test in fake time on a simulated segment.
func inBubble(t *testing.T, f func(t *testing.T, seg *viptest.Segment)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, viptest.NewSegment()) })
}

// wait lets d pass, and everything that is due at its end happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// announced lists when the station's wires announced theVIP, counted from start.
func announced(seg *viptest.Segment, by *viptest.Station, start time.Time) []time.Duration {
	var at []time.Duration
	for _, f := range seg.Sent() {
		if f.By == by && f.Owner == theVIP {
			at = append(at, f.At.Sub(start))
		}
	}
	return at
}

func TestAnnouncementsGoOutAtTheScheduledInstants(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		start := time.Now()
		check(t, node.Claim(t.Context()))
		wait(66 * time.Second)
		ms := time.Millisecond
		want := []time.Duration{0, 50 * ms, 150 * ms, 500 * ms, 1000 * ms, 2000 * ms, 5000 * ms, 35000 * ms, 65000 * ms}
		if diff := cmp.Diff(want, announced(seg, a, start)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
}

func TestAfterReleaseNothingMoreIsSent(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		check(t, node.Claim(t.Context()))
		wait(60 * time.Millisecond)
		check(t, node.Release(t.Context()))
		sent := len(seg.Sent())
		check(t, a.SetCarrier(false))
		wait(time.Second)
		check(t, a.SetCarrier(true))
		shout(t, seg.Station())
		wait(time.Hour)
		if got := len(seg.Sent()); got != sent+1 { // the shout
			t.Errorf("%d frames were sent after Release", got-sent-1)
		}
	})
}

// shout announces theVIP from a station that does not have it.
func shout(t *testing.T, s *viptest.Station) {
	t.Helper()
	w := s.Wire()
	defer w.Close()
	check(t, w.Announce(t.Context(), theVIP))
}

func TestAConflictIsDefendedAtMostOnceInTenSeconds(t *testing.T) {
	for _, c := range []struct {
		sentence string
		peer     bool
		want     []time.Duration
	}{
		{"a stranger", false, []time.Duration{6 * time.Second, 16 * time.Second, 26 * time.Second}},
		{"a peer is never defended against", true, nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, seg *viptest.Segment) {
				a, foe := seg.Station(), seg.Station()
				node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
				if c.peer {
					node.SetPeers([]net.HardwareAddr{foe.Interface().MAC})
				}
				start := time.Now()
				check(t, node.Claim(t.Context()))
				wait(6 * time.Second) // beyond the schedule's first part
				for range 250 {
					shout(t, foe)
					wait(100 * time.Millisecond)
				}
				scheduled := 7
				if got := announced(seg, a, start)[scheduled:]; !slices.Equal(got, c.want) {
					t.Errorf("defences at %v, want %v", got, c.want)
				}
				total := 0
				for _, ev := range node.Events(vip.Conflict) {
					total += ev.Count
					if ev.Peer != c.peer {
						t.Errorf("event %+v; want Peer %v", ev, c.peer)
					}
				}
				if total != 250 {
					t.Errorf("events stand for %d conflicts, want 250", total)
				}
			})
		})
	}
}

func TestWhatWasHeardBeforeTheClaimIsNoConflict(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, former := &slowHost{Station: seg.Station()}, seg.Station()
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		wait(0)
		a.link.pause.Store(int64(time.Second))
		claimed := make(chan error)
		go func() { claimed <- node.Claim(t.Context()) }()
		wait(700 * time.Millisecond) // Run waits for the Claim by now and does not listen
		shout(t, former)
		wait(time.Millisecond)
		check(t, <-claimed)
		wait(0)
		if got := node.Events(vip.Conflict); len(got) > 0 {
			t.Errorf("events %v", got)
		}
		shout(t, former)
		wait(0)
		if got := node.Events(vip.Conflict); len(got) != 1 {
			t.Errorf("a claim after ours: events %v", got)
		}
	})
}

func TestAClaimantWhoseLeaseRanOutLetsGoAndDoesNotGrabItBack(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		check(t, node.Claim(t.Context()))
		wait(10 * time.Second)
		a.Refuse(theVIP, errors.New("the kernel refuses"))
		wait(vip.DefaultLease + time.Second)
		expired := node.Events(vip.Expired)
		if len(expired) != 1 || node.Status().Held || viptest.Has(t, a, theVIP) {
			t.Fatalf("events %v, status %+v", expired, node.Status())
		}
		if node.Status().Err == nil {
			t.Error("status does not say why")
		}
		a.Refuse(theVIP, nil)
		sent := len(seg.Sent())
		wait(time.Minute)
		if viptest.Has(t, a, theVIP) || len(seg.Sent()) != sent {
			t.Error("it came back by itself")
		}
		check(t, node.Claim(t.Context()))
		wait(0)
		if !viptest.Has(t, a, theVIP) || node.Status().Err != nil {
			t.Errorf("a new Claim does not help: %+v", node.Status())
		}
	})
}

// slowLink is a link whose next State takes long, as when the process is paused.
type slowLink struct {
	vip.Link
	pause atomic.Int64 // nanoseconds
	adds  atomic.Int64
}

func (l *slowLink) Add(ctx context.Context, p netip.Prefix, lease time.Duration) error {
	l.adds.Add(1)
	return l.Link.Add(ctx, p, lease)
}

func (l *slowLink) State(ctx context.Context) (vip.LinkState, error) {
	time.Sleep(time.Duration(l.pause.Swap(0)))
	return l.Link.State(ctx)
}

type slowHost struct {
	*viptest.Station
	link *slowLink
}

func (h *slowHost) OpenLink() (vip.Link, error) {
	h.link = &slowLink{Link: h.Link()}
	return h.link, nil
}

func TestAProcessThatOversleptItsLeaseAnnouncesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := &slowHost{Station: seg.Station()}
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		check(t, node.Claim(t.Context()))
		wait(34900 * time.Millisecond) // 100 ms before an announcement
		sent := len(seg.Sent())
		a.link.pause.Store(int64(5 * time.Second))
		wait(400 * time.Millisecond) // the next look begins
		adds := a.link.adds.Load()
		wait(10 * time.Second)
		if got := a.link.adds.Load() - adds; got != 0 {
			t.Errorf("the address was added %d times", got)
		}
		if len(node.Events(vip.Expired)) != 1 || node.Status().Held || viptest.Has(t, a, theVIP) {
			t.Errorf("after the pause: events %v, status %+v", node.Events(vip.Expired), node.Status())
		}
		if got := len(seg.Sent()) - sent; got != 0 {
			t.Errorf("%d frames were sent", got)
		}
	})
}

func TestStatusDoesNotWaitForASlowKernelAndOthersWaitNoLongerThanTheirContext(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := &slowHost{Station: seg.Station()}
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		wait(0)
		a.link.pause.Store(int64(time.Hour))
		wait(time.Second)
		start := time.Now()
		node.Status()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Status took %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := node.Claim(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Claim: %v after %v", err, time.Since(start))
		}
		check(t, node.Release(t.Context()))
		if viptest.Has(t, a, theVIP) {
			t.Error("still there after Release")
		}
	})
}

func TestWhatNetlinkDidNotTellIsSeenAllTheSame(t *testing.T) {
	for _, c := range []struct {
		sentence string
		told     bool
		within   time.Duration
	}{
		{"at once when the kernel says that events were lost", true, 0},
		{"at the next look when it says nothing", false, 500 * time.Millisecond},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, seg *viptest.Segment) {
				a := seg.Station()
				node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}, Lease: vip.MaxLease})
				check(t, node.Claim(t.Context()))
				wait(6 * time.Second)
				before := node.Status().Announced
				a.Unnoticed(c.told, func() { check(t, a.DelAddr(onIface)) })
				wait(c.within)
				if !viptest.Has(t, a, theVIP) || len(node.Events(vip.Lost)) != 1 || node.Status().Announced == before {
					t.Errorf("deleted: events %v, status %+v", node.Events(vip.Lost), node.Status())
				}
				a.Unnoticed(c.told, func() { check(t, a.SetCarrier(false)) })
				wait(c.within)
				if len(node.Events(vip.LinkDown)) != 1 || node.Status().Carrier {
					t.Errorf("carrier: events %v, status %+v", node.Events(vip.LinkDown), node.Status())
				}
				check(t, a.SetCarrier(true))
				wait(6 * time.Second)
				before = node.Status().Announced
				a.Unnoticed(c.told, func() { check(t, errors.Join(a.SetCarrier(false), a.SetCarrier(true))) })
				wait(0)
				if anew := node.Status().Announced > before; anew != c.told { // untold, a short flap cannot be seen
					t.Errorf("after a flap: announced anew %v, want %v", anew, c.told)
				}
			})
		})
	}
}

func TestAQuarrelWithAnotherProgramIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP}})
		check(t, node.Claim(t.Context()))
		wait(6 * time.Second)
		before := node.Status().Announced
		for range 1000 {
			check(t, a.DelAddr(onIface))
			wait(time.Millisecond)
		}
		lost := 0
		for _, ev := range node.Events(vip.Lost) {
			lost += ev.Count
		}
		if lost < 90 || lost > 110 {
			t.Errorf("put back %d times in a second of deletions each millisecond, want about 100", lost)
		}
		if sent := node.Status().Announced - before; sent > 120 {
			t.Errorf("announced %d times", sent)
		}
		wait(10 * time.Millisecond)
		if !viptest.Has(t, a, theVIP) {
			t.Error("it is not there at the end")
		}
	})
}

func TestAClaimThatTheKernelRefusesInPartTakesEverythingBack(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a := seg.Station()
		second := theVIP.Next()
		refused := errors.New("refused")
		node := viptest.Start(t, a, vip.Config{Addrs: []netip.Addr{theVIP, second}})
		check(t, node.Claim(t.Context()))
		a.Refuse(second, refused)
		if err := node.Claim(t.Context()); !errors.Is(err, refused) {
			t.Errorf("Claim: %v", err)
		}
		if viptest.Has(t, a, theVIP) || viptest.Has(t, a, second) || node.Status().Held {
			t.Error("something is left, though the group is one")
		}
		wait(time.Minute)
		if viptest.Has(t, a, theVIP) || viptest.Has(t, a, second) {
			t.Error("something came back")
		}
	})
}

func TestNothingIsReportedTwiceAndNothingDroppedForASlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T, seg *viptest.Segment) {
		a, foe := seg.Station(), seg.Station()
		link, wire := a.Link(), a.Wire()
		c, err := vip.NewClaimer(vip.Config{Addrs: []netip.Addr{theVIP}}, link, wire, nil)
		check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		check(t, c.Claim(ctx))
		wait(time.Second)
		for range 500 { // more than the wire's queue
			shout(t, foe)
			synctest.Wait()
		}
		check(t, a.SetCarrier(false))
		check(t, a.SetCarrier(true))
		synctest.Wait()
		var got []vip.Event
		for range 2 {
			ev := <-c.Events()
			ev.At, ev.By = time.Time{}, nil
			got = append(got, ev)
			synctest.Wait()
		}
		want := []vip.Event{{Kind: vip.Conflict, Addr: theVIP, Count: 500}, {Kind: vip.LinkUp, Count: 2}}
		if !slices.EqualFunc(want, got, func(x, y vip.Event) bool { return x.Kind == y.Kind && x.Addr == y.Addr && x.Count == y.Count }) {
			t.Errorf("events %+v, want %+v", got, want)
		}
		cancel()
		check(t, <-ended)
		if ev, ok := <-c.Events(); ok {
			t.Errorf("one event too many: %+v", ev)
		}
		if err := c.Run(ctx); err == nil {
			t.Error("a second Run is no error")
		}
	})
}
