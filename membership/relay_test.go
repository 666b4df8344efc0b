package membership_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/tandem-lb/tandem/membership"
)

// advertOf is where lb2's keeper receives adverts.
var advertOf = netip.MustParseAddrPort("10.0.0.12:7947")

// collector keeps the answers to what was relayed.
type collector struct {
	mu  sync.Mutex
	all []string
}

func (c *collector) take(a membership.RelayAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, a.Via+": "+string(a.Datagram))
}

// answers returns what has come so far, sorted, and forgets it.
func (c *collector) answers() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.all)
	all := strings.Join(c.all, ", ")
	c.all = nil
	return all
}

// relayWorld is two balancers and three apps, of which lb2's keeper answers.
func relayWorld(w *world) (lb1, lb2 *node, apps []*node) {
	w.t.Helper()
	lb1 = w.start("lb1", 11, bothSeeds, nil)
	lb2 = w.start("lb2", 12, bothSeeds, nil)
	for i := range 3 {
		apps = append(apps, w.start(fmt.Sprintf("s%d", i+1), 21+i, bothSeeds, nil))
	}
	w.agree(30*time.Second, "lb1:alive lb2:alive s1:alive s2:alive s3:alive", lb1, lb2, apps[0], apps[1], apps[2])
	w.net.Answer(advertOf.String(), func(_ netip.Addr, datagram []byte) []byte {
		return append([]byte("active, you said "), datagram...)
	})
	return lb1, lb2, apps
}

func mustRelay(t *testing.T, n *node, to netip.AddrPort, fanout int, take func(membership.RelayAnswer)) {
	t.Helper()
	if err := n.Relay(to, []byte("nonce"), fanout, take); err != nil {
		t.Fatal(err)
	}
}

func TestADatagramGoesThroughThreeOthersWhereTheOwnPathIsCut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, lb2, apps := relayWorld(w)
		w.net.Partition([]string{lb1.addr}, []string{lb2.addr})
		time.Sleep(30 * time.Second) // the cut alone makes nobody fail
		var got collector
		begun := time.Now()
		mustRelay(t, lb1, advertOf, 3, got.take)
		want := "s1: active, you said nonce, s2: active, you said nonce, s3: active, you said nonce"
		if all := got.answers(); all != want {
			t.Errorf("got %q, want %q\n%s", all, want, w.logs())
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("took %v on a network that takes no time", took)
		}
		for _, n := range append(apps, lb1, lb2) {
			select {
			case m := <-n.Messages():
				t.Errorf("%s was delivered %q from %s", n.addr, m.Payload, m.From)
			default:
			}
		}
		if relayed := apps[0].Stats().Relayed; relayed != 1 {
			t.Errorf("s1 counts %d relayed, want 1", relayed)
		}
	})
}

func TestWhoReachedTheTargetLastIsAskedFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, lb2, apps := relayWorld(w)
		lb2Sees := []string{lb2.addr}
		w.net.Partition([]string{lb1.addr, apps[0].addr, apps[1].addr}, lb2Sees) // s3 alone reaches it
		var got collector
		mustRelay(t, lb1, advertOf, 3, got.take)
		if all := got.answers(); all != "s3: active, you said nonce" {
			t.Fatalf("got %q", all)
		}
		for range 20 {
			mustRelay(t, lb1, advertOf, 1, got.take)
			if all := got.answers(); all != "s3: active, you said nonce" {
				t.Fatalf("got %q; s3 must be asked first", all)
			}
		}
		apps[2].crash()
		w.net.Heal()
		w.net.Partition([]string{lb1.addr}, lb2Sees)
		mustRelay(t, lb1, advertOf, 3, got.take)
		if all := got.answers(); all != "s1: active, you said nonce, s2: active, you said nonce" {
			t.Errorf("after it died: %q", all)
		}
	})
}

func TestAgentsElsewhereAreAskedBeforeBalancersAndThoseBeforeNeighbours(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		lb3 := w.start("lb3", 13, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(3*time.Second, "lb1:alive lb2:alive lb3:alive s1:alive", lb1, lb2, lb3, s1)
		// lb2's keeper listens on s1's host: so s1 shares its path.
		for _, tc := range []struct{ to, want string }{
			{"10.0.0.12:7947", "s1: yes"},
			{"10.0.0.21:7947", "lb3: yes"},
		} {
			meta := metaOf("lb2", lb2.addr)
			meta.AdvertAddr = netip.MustParseAddrPort(tc.to)
			if err := lb2.SetMeta(t.Context(), meta); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			w.net.Answer(tc.to, func(netip.Addr, []byte) []byte { return []byte("yes") })
			var got collector
			for range 10 {
				mustRelay(t, lb1, meta.AdvertAddr, 1, got.take)
				if all := got.answers(); all != tc.want {
					t.Fatalf("to %s: %q, want %q", tc.to, all, tc.want)
				}
			}
		}
	})
}

func TestAMemberIsNoWayToAnythingButAdvertsOfPresentBalancers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, lb2, apps := relayWorld(w)
		lb3 := w.start("lb3", 13, bothSeeds, nil)
		lb4 := w.start("lb4", 14, bothSeeds, nil)
		w.agree(30*time.Second, "lb1:alive lb2:alive lb3:alive lb4:alive s1:alive s2:alive s3:alive", lb1, lb2, apps[0], apps[1], apps[2])
		if err := lb3.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		lb4.crash()
		w.agree(10*time.Second, "lb1:alive lb2:alive lb3:left lb4:failed s1:alive s2:alive s3:alive", lb1, lb2)
		for _, a := range apps { // gossip alone tells them, and may lose the goodbye: then lb3 has failed
			for range 300 {
				if a.member("lb3").State.Present() || a.member("lb4").State.Present() {
					time.Sleep(100 * time.Millisecond)
				}
			}
		}
		var got collector
		refused := func() (sum uint64) {
			for _, n := range append(apps, lb2) {
				sum += n.Stats().RefusedRelays
			}
			return sum
		}
		for i, to := range []string{
			"10.0.0.21:3000", // an app
			"10.0.0.12:22",   // another port of a balancer's
			"10.0.0.12:7946", // gossip
			"10.0.0.13:7947", // a balancer that left
			"10.0.0.14:7947", // a balancer that failed
			"8.8.8.8:53",
			"127.0.0.1:7947",
		} {
			w.net.Answer(to, func(netip.Addr, []byte) []byte { t.Errorf("%s was reached", to); return []byte("x") })
			mustRelay(t, lb1, netip.MustParseAddrPort(to), 3, got.take)
			if all := got.answers(); all != "" || refused() != uint64(3*(i+1)) {
				t.Errorf("%s: answers %q, %d refused in all", to, all, refused())
			}
		}
	})
}

// frame is what a member sends another directly.
func frame(kind byte, wire string, body ...[]byte) []byte {
	return slices.Concat([]byte{kind, byte(len(wire))}, []byte(wire), slices.Concat(body...))
}

func TestAStrangerGetsNothingCarriedAndNothingDelivered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, _, apps := relayWorld(w)
		w.net.Answer(advertOf.String(), func(netip.Addr, []byte) []byte { t.Error("lb2 was reached"); return nil })
		number := binary.BigEndian.AppendUint64(nil, 7)
		target := append([]byte{6}, 10, 0, 0, 12, 31, 11) // 10.0.0.12:7947
		evil := w.stranger("evil#1-A", "tandem", []byte{2, 3, 1, 2})
		send := func(host byte, msg []byte) {
			node := &memberlist.Node{Name: "s1", Addr: []byte{10, 0, 0, host}, Port: 7946}
			if err := evil.ml.SendBestEffort(node, msg); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		send(21, frame(3, "evil#1-A", number, target, []byte("hello")))
		if s := apps[0].Stats(); s.RefusedRelays != 1 || s.BadMessages != 0 {
			t.Errorf("a request from outside the cluster: %+v", s)
		}
		var got collector
		w.net.Answer(advertOf.String(), func(netip.Addr, []byte) []byte { return nil })
		mustRelay(t, lb1, advertOf, 3, got.take)
		send(11, frame(4, "evil#1-A", number, []byte("forged")))
		if s := lb1.Stats(); s.RefusedRelays != 1 || got.answers() != "" {
			t.Errorf("an answer from outside the cluster: %+v", s)
		}
		bad := [][]byte{
			frame(3, "evil#1-A"),                                           // nothing
			frame(3, "evil#1-A", number[:7]),                               // half a number
			frame(3, "evil#1-A", number, target[:4]),                       // half an address
			frame(3, "evil#1-A", number, target),                           // no datagram
			frame(3, "evil#1-A", number, target, make([]byte, 1201)),       // too large a one
			frame(3, "evil#1-A", number, []byte{6, 0, 0, 0, 0, 31, 11, 1}), // to anybody
			frame(4, "evil#1-A", number),                                   // empty
			frame(4, "evil#1-A", number, make([]byte, 1201)),               // too large
		}
		for _, msg := range bad {
			send(21, msg)
		}
		if s := apps[0].Stats(); s.BadMessages != uint64(len(bad)) {
			t.Errorf("%d bad messages counted of %d", s.BadMessages, len(bad))
		}
	})
}

func TestAFloodOfRelaysIsBoundedAndPasses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, _, apps := relayWorld(w)
		var mu sync.Mutex
		reached := 0
		w.net.Answer(advertOf.String(), func(netip.Addr, []byte) []byte {
			mu.Lock()
			defer mu.Unlock()
			reached++
			return nil // so that each waits for 500 ms
		})
		busy := 0
		for range 1000 {
			switch err := lb1.Relay(advertOf, []byte("x"), 3, func(membership.RelayAnswer) {}); {
			case errors.Is(err, membership.ErrRelayBusy):
				busy++
			case err != nil:
				t.Fatal(err)
			}
		}
		if busy != 1000-512 {
			t.Errorf("%d of 1000 were one too many, want %d", busy, 1000-512)
		}
		synctest.Wait()
		if reached != 3*32 {
			t.Errorf("%d datagrams were carried at once, want 32 by each of three", reached)
		}
		if got := apps[0].Stats().RefusedRelays; got != 512-32 {
			t.Errorf("s1 counts %d refused, want %d", got, 512-32)
		}
		time.Sleep(time.Second)
		w.net.Answer(advertOf.String(), func(netip.Addr, []byte) []byte { return []byte("yes") })
		var got collector
		mustRelay(t, lb1, advertOf, 3, got.take)
		if all := got.answers(); all != "s1: yes, s2: yes, s3: yes" {
			t.Errorf("after the flood: %q", all)
		}
	})
}

func TestAnAnswerThatIsLateOrTwiceOrTooLargeIsNotDelivered(t *testing.T) {
	for _, tc := range []struct {
		what    string
		wait    time.Duration
		answer  string
		refused uint64
		want    string
	}{
		{"in time", 500 * time.Millisecond, "yes", 0, "s1: yes"},
		{"late", 700 * time.Millisecond, "yes", 1, ""},
		{"empty", 0, "", 0, ""},
		{"too large", 0, strings.Repeat("x", 1201), 0, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				lb1 := w.start("lb1", 11, bothSeeds, nil)
				lb2 := w.start("lb2", 12, bothSeeds, nil)
				s1 := w.start("s1", 21, bothSeeds, func(cfg *membership.Config) {
					cfg.Exchange = func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
						time.Sleep(tc.wait)
						return []byte(tc.answer), nil
					}
				})
				w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
				var got collector
				mustRelay(t, lb1, advertOf, 3, got.take)
				time.Sleep(time.Second)
				stats := lb1.Stats()
				if all := got.answers(); all != tc.want || stats.RefusedRelays != tc.refused || stats.BadMessages != 0 {
					t.Errorf("got %q, %+v", all, stats)
				}
			})
		})
	}
}

func TestAMemberThatStopsWhileItCarriesLetsGoAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, _, apps := relayWorld(w)
		w.net.Answer(advertOf.String(), func(netip.Addr, []byte) []byte { return nil })
		var got collector
		mustRelay(t, lb1, advertOf, 3, got.take)
		synctest.Wait()
		begun := time.Now()
		apps[0].stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("its Run took %v to end", took)
		}
		lb1.stop() // with three answers outstanding
		time.Sleep(time.Second)
		if all := got.answers(); all != "" {
			t.Errorf("got %q", all)
		}
		if err := lb1.Relay(advertOf, []byte("x"), 3, got.take); !errors.Is(err, membership.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestWhatCannotBeRelayedIsSaidAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		for _, tc := range []struct {
			to     string
			size   int
			fanout int
			want   string
		}{
			{"10.0.0.12:7947", 1, 3, "no other member"},
			{"0.0.0.0:7947", 1, 3, "not an address and port"},
			{"10.0.0.12:0", 1, 3, "not an address and port"},
			{"10.0.0.12:7947", 0, 3, "at least one byte"},
			{"10.0.0.12:7947", 1201, 3, "1201 bytes where 1200"},
			{"10.0.0.12:7947", 1, 0, "1 to 8 members"},
			{"10.0.0.12:7947", 1, 9, "1 to 8 members"},
		} {
			err := lb1.Relay(netip.MustParseAddrPort(tc.to), make([]byte, tc.size), tc.fanout, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v", tc, err)
			}
		}
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive", lb1, lb2)
		if err := lb1.Relay(advertOf, []byte("x"), 3, nil); !errors.Is(err, membership.ErrNoRelay) {
			t.Errorf("with the target alone: %v", err)
		}
	})
}
