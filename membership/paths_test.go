package membership_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

func TestAChangeReachesEveryBalancerDirectlyWhenGossipIsDead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		w.net.Lose(1)
		meta := metaOf("s1", s1.addr)
		meta.Apps[0].Drain = true
		if err := s1.SetMeta(t.Context(), meta); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, n := range []*node{lb1, lb2} {
			if !n.app("s1").Drain {
				t.Errorf("%s does not know", n.addr)
			}
		}
		w.net.Lose(0)
		time.Sleep(time.Minute)
		for _, n := range []*node{lb1, lb2} {
			if !n.app("s1").Drain {
				t.Errorf("%s was told otherwise by gossip", n.addr)
			}
			if got := strings.Join(n.heardOf("s1"), " "); got != "join update" {
				t.Errorf("%s heard %q", n.addr, got)
			}
		}
	})
}

func TestAChangeReachesEverybodyByGossipWhenTheDirectPathIsCut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		w.net.Partition([]string{s1.addr}, []string{lb2.addr})
		meta := metaOf("s1", s1.addr)
		meta.Apps[0].Drain = true
		if err := s1.SetMeta(t.Context(), meta); err == nil || !strings.Contains(err.Error(), "lb2") {
			t.Errorf("SetMeta says %v; it must name lb2", err)
		}
		w.within(time.Second, "lb2 knows through lb1", func() bool { return lb2.app("s1").Drain })
	})
}

func TestALateBalancerLearnsEverybodysNewestMeta(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		meta := metaOf("s1", s1.addr)
		for weight := 1; weight <= 20; weight++ {
			meta.Apps[0].Weight = weight
			if err := s1.SetMeta(t.Context(), meta); err != nil {
				t.Fatal(err)
			}
		}
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		w.within(2*time.Second, "lb2 knows the newest weight", func() bool { return lb2.app("s1").Weight == 20 })
	})
}

func TestMetaThatIsTooLargeIsRefusedAndChangesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		large := metaOf("lb1", lb1.addr)
		large.Tags = map[string]string{"long": strings.Repeat("x", 600)}
		if err := lb1.SetMeta(t.Context(), large); !errors.Is(err, membership.ErrMetaTooLarge) {
			t.Errorf("SetMeta says %v", err)
		}
		if got := lb1.Self().Meta.Tags; got != nil {
			t.Errorf("tags are %v", got)
		}
		_, err := membership.Open(membership.Config{Name: "x", Meta: large, Transport: w.net.Listen("10.0.0.99")})
		if !errors.Is(err, membership.ErrMetaTooLarge) {
			t.Errorf("Open says %v", err)
		}
	})
}

func TestMessagesArriveWholeAndOnlyWhereTheyShould(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		for _, size := range []int{0, 1, membership.MaxPayload} {
			want := strings.Repeat("x", size)
			if err := s1.Send(t.Context(), "lb1", []byte(want)); err != nil {
				t.Fatal(err)
			}
			if m := <-lb1.Messages(); m.From != "s1" || string(m.Payload) != want {
				t.Errorf("got %d bytes from %s, want %d", len(m.Payload), m.From, size)
			}
		}
		if err := s1.Send(t.Context(), "lb1", make([]byte, membership.MaxPayload+1)); !errors.Is(err, membership.ErrPayloadTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if err := s1.Send(t.Context(), "lb9", nil); !errors.Is(err, membership.ErrUnknownMember) {
			t.Errorf("unknown: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		w.net.Crash(lb1.addr)
		if err := s1.Send(ctx, "lb1", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dead: %v", err)
		}
		s1.Close()
		if err := s1.Send(t.Context(), "lb1", nil); !errors.Is(err, membership.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestMessagesThatNobodyReceivesAreDroppedAndCounted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		for range 300 {
			if err := s1.Send(t.Context(), "lb1", []byte("x")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		got := 0
		for done := false; !done; {
			select {
			case <-lb1.Messages():
				got++
				synctest.Wait()
			default:
				done = true
			}
		}
		if dropped := lb1.Stats().DroppedMessages; got+int(dropped) != 300 || dropped == 0 {
			t.Errorf("%d received, %d counted as dropped, of 300", got, dropped)
		}
	})
}

func TestSeedsTriedWaitsForEachSeedAndAtMostThreeSeconds(t *testing.T) {
	for _, tc := range []struct {
		what        string
		seeds       []string
		least, most time.Duration
	}{
		{"no seeds", nil, 0, 0},
		{"only itself", []string{"10.0.0.11"}, 0, 0},
		{"one is there", []string{"10.0.0.11", "10.0.0.12"}, 0, 10 * time.Millisecond},
		{"one is dead", []string{"10.0.0.12", "10.0.0.99"}, time.Second, 2 * time.Second},
		{"a name server that hangs", []string{"hangs.example"}, 3 * time.Second, 3 * time.Second},
	} {
		t.Run(tc.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.start("lb2", 12, nil, nil)
				synctest.Wait()
				begun := time.Now()
				lb1 := w.start("lb1", 11, tc.seeds, func(cfg *membership.Config) {
					cfg.Resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) {
						time.Sleep(time.Hour)
						return nil, ctx.Err()
					}
					if tc.what != "a name server that hangs" {
						cfg.Resolve = nil
					}
				})
				<-lb1.SeedsTried()
				if took := time.Since(begun); took < tc.least || took > tc.most {
					t.Errorf("tried after %v, want %v to %v", took, tc.least, tc.most)
				}
				if tc.what == "a name server that hangs" {
					time.Sleep(time.Hour) // until it has ended, as it must before Run can
				}
			})
		})
	}
}

func TestANameStandsForAllItsAddressesAndIsResolvedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var addrs []netip.Addr
		var asked []string
		resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, host)
			if len(addrs) == 0 {
				return nil, fmt.Errorf("no such host")
			}
			return slices.Clone(addrs), nil
		}
		s1 := w.start("s1", 21, []string{"balancers"}, func(cfg *membership.Config) { cfg.Resolve = resolve })
		lb1 := w.start("lb1", 11, nil, nil)
		lb2 := w.start("lb2", 12, nil, nil)
		time.Sleep(5 * time.Second)
		w.agree(0, "s1:alive", s1)
		mu.Lock()
		addrs = []netip.Addr{netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("::ffff:10.0.0.12")}
		mu.Unlock()
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", s1, lb1, lb2)
		if asked[0] != "balancers" {
			t.Errorf("asked for %q", asked[0])
		}
	})
}

func TestOneWayLossAndHeavyLossMakeNobodyFail(t *testing.T) {
	for _, tc := range []struct {
		what string
		harm func(w *world, nodes []*node)
	}{
		{"packets from s1 to lb1 vanish", func(w *world, n []*node) { w.net.CutOneWay(n[2].addr, n[0].addr) }},
		{"a fifth of all packets vanishes", func(w *world, n []*node) { w.net.Lose(0.2) }},
	} {
		t.Run(tc.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var all []*node
				for i, name := range []string{"lb1", "lb2", "s1", "s2"} {
					all = append(all, w.start(name, 11+i, bothSeeds, nil))
				}
				w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive s2:alive", all...)
				tc.harm(w, all)
				time.Sleep(2 * time.Minute)
				for _, n := range all {
					if got := strings.Join(n.heard(), " "); strings.Contains(got, "failed") {
						t.Errorf("%s heard %s", n.addr, got)
					}
				}
			})
		})
	}
}

func TestEventsTellTheWholeStoryInOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		for weight := 1; weight <= 50; weight++ {
			meta := metaOf("s1", s1.addr)
			meta.Apps[0].Weight = weight
			if err := s1.SetMeta(t.Context(), meta); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if err := s1.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		lb1.heard()
		lb1.mu.Lock()
		defer lb1.mu.Unlock()
		want, state := 1, membership.State(0)
		for _, ev := range lb1.events {
			if ev.Member.Name != "s1" {
				continue
			}
			if ev.Kind == membership.EventUpdate {
				if ev.Member.Meta.Apps[0].Weight != want {
					t.Fatalf("update to weight %d, want %d", ev.Member.Meta.Apps[0].Weight, want)
				}
				want++
			}
			state = ev.Member.State
		}
		if want != 51 || state != membership.StateLeft {
			t.Errorf("heard of %d changes, and at last %v", want-1, state)
		}
	})
}

func TestManyMembersJoinAtOnce(t *testing.T) {
	const count = 100
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 1, []string{"10.0.0.1", "10.0.0.2"}, nil)
		lb2 := w.start("lb2", 2, []string{"10.0.0.1", "10.0.0.2"}, nil)
		begun := time.Now()
		for i := range count {
			w.start(fmt.Sprintf("s%d", i), 3+i, []string{"10.0.0.1"}, nil)
		}
		w.within(5*time.Second, "both balancers know all", func() bool {
			return len(lb1.Members()) == count+2 && len(lb2.Members()) == count+2
		})
		t.Logf("%d members known after %v", count, time.Since(begun))
	})
}
