package membership_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/tandem-lb/tandem/membership"
)

// listen collects a member's user events.
func (n *node) listen() func() []string {
	var mu sync.Mutex
	var got []string
	go func() {
		for ev := range n.UserEvents() {
			mu.Lock()
			got = append(got, ev.Name+" "+string(ev.Payload)+" of "+ev.From)
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

func TestAUserEventReachesEveryMemberOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var heard []func() []string
		var all []*node
		want := ""
		for i, name := range []string{"lb1", "lb2", "s1", "s2", "s3"} {
			all = append(all, w.start(name, 11+i, []string{"10.0.0.11"}, nil))
			heard = append(heard, all[i].listen())
			want += name + ":alive "
		}
		w.agree(10*time.Second, strings.TrimSpace(want), all...)
		w.net.Lose(0.3)
		for i := range 20 {
			if n, err := all[i%5].Broadcast(t.Context(), "deploy", fmt.Append(nil, i)); err != nil || n != 5 {
				t.Fatalf("event %d: %d have it, %v", i, n, err)
			}
		}
		w.net.Lose(0)
		time.Sleep(time.Second)
		for i, f := range heard {
			if got := f(); len(got) != 20 || got[7] != "deploy 7 of s1" {
				t.Errorf("%s heard %d events: %q", all[i].addr, len(got), got)
			}
		}
	})
}

func TestAUserEventNamesThoseWhoHaveNotTakenIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		heard := lb1.listen()
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		for i := range 257 { // nobody receives at s1: 256 wait there, and one is on its way to the user
			if _, err := lb1.Broadcast(t.Context(), "e", nil); err != nil {
				t.Fatalf("event %d: %v", i, err)
			}
		}
		n, err := lb1.Broadcast(t.Context(), "e", nil)
		if err == nil || n != 1 || !strings.Contains(err.Error(), "s1: too many events wait there") {
			t.Errorf("%d have it, %v", n, err)
		}
		w.net.Partition([]string{lb1.addr}, []string{s1.addr})
		if n, err := lb1.Broadcast(t.Context(), "e", nil); err == nil || n != 1 || !strings.Contains(err.Error(), "s1: ") {
			t.Errorf("%d have it, %v", n, err)
		}
		if got := len(heard()); got != 259 {
			t.Errorf("lb1 itself has %d, want 259", got)
		}
		for _, name := range []string{"", "a b", strings.Repeat("x", 65)} {
			if _, err := lb1.Broadcast(t.Context(), name, nil); err == nil {
				t.Errorf("an event %q was sent", name)
			}
		}
		if _, err := lb1.Broadcast(t.Context(), "e", make([]byte, membership.MaxEventPayload+1)); !errors.Is(err, membership.ErrPayloadTooLarge) {
			t.Errorf("8193 bytes: %v", err)
		}
	})
}

// Whoever records what members say, or holds the gossip key, can repeat it.
func TestAnOrderIsCarriedOutOnceAndByWhomItNamesAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		heard := lb1.listen()
		evil := w.stranger("evil#1-A", "tandem", []byte{2, 3, 1, 2})
		if _, err := evil.ml.Join([]string{"10.0.0.11:7946"}); err != nil {
			t.Fatal(err)
		}
		w.agree(time.Second, "evil:alive lb1:alive", lb1)
		var wire string
		for _, m := range evil.ml.Members() {
			if strings.HasPrefix(m.Name, "lb1#") {
				wire = m.Name
			}
		}
		node := &memberlist.Node{Name: wire, Addr: []byte{10, 0, 0, 11}, Port: 7946}
		order := func(id byte, from, target string) []byte {
			b := append([]byte{5, byte(len(from))}, from...)
			b = append(b, 0, 0, 0, 0, 0, 0, 0, id, byte(len(target)))
			return append(append(append(b, target...), 5), "\x01ehello"...)
		}
		for _, b := range [][]byte{
			order(1, "evil#1-A", wire), order(1, "evil#1-A", wire), order(1, "evil#1-A", wire), // repeated
			order(2, "evil#1-A", "lb1#1-A"), order(3, "nobody#1-A", wire), order(4, wire, wire), // another's, of nobody, of itself
		} {
			if err := evil.ml.SendReliable(node, b); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := heard(); len(got) != 1 || got[0] != "e hello of evil" {
			t.Errorf("carried out: %q", got)
		}
		if got := lb1.Stats().RefusedOrders; got != 3 {
			t.Errorf("%d refused, want 3", got)
		}
		for range 200 { // a flood: only so many at once, and none lost
			_ = evil.ml.SendBestEffort(node, order(9, "evil#1-A", wire))
		}
		time.Sleep(10 * time.Second)
		if got := heard(); len(got) != 2 {
			t.Errorf("after a flood of one order: %d events", len(got))
		}
	})
}
