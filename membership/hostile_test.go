package membership_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/tandem-lb/tandem/membership"
)

// stranger is a bare memberlist node on the network: it says what it likes.
type stranger struct {
	meta []byte
	ml   *memberlist.Memberlist
}

func (s *stranger) NodeMeta(int) []byte             { return s.meta }
func (s *stranger) NotifyMsg([]byte)                {}
func (s *stranger) GetBroadcasts(int, int) [][]byte { return nil }
func (s *stranger) LocalState(bool) []byte          { return nil }
func (s *stranger) MergeRemoteState([]byte, bool)   {}

// stranger starts one at 10.0.0.66.
func (w *world) stranger(name, label string, meta []byte) *stranger {
	w.t.Helper()
	s := &stranger{meta: meta}
	conf := memberlist.DefaultLANConfig()
	conf.Name, conf.Label, conf.Delegate, conf.Transport = name, label, s, w.net.Listen("10.0.0.66")
	conf.Logger = log.New(io.Discard, "", 0)
	ml, err := memberlist.Create(conf)
	if err != nil {
		w.t.Fatal(err)
	}
	s.ml = ml
	w.t.Cleanup(func() { ml.Shutdown() })
	return s
}

func TestAMemberThatCannotBeBelievedIsCountedAndIgnored(t *testing.T) {
	good := []byte{2, 3, 1, 2} // an agent without an app
	for _, tc := range []struct {
		what, name string
		meta       []byte
	}{
		{"no meta", "evil#1-A", nil},
		{"rubbish as meta", "evil#1-A", bytes.Repeat([]byte{0xff}, 512)},
		{"a plain name", "evil", good},
		{"a name that breaks lines", "ev\nil#1-A", good},
		{"a long name", strings.Repeat("x", 300) + "#1-A", good},
	} {
		t.Run(tc.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				lb1 := w.start("lb1", 11, bothSeeds, nil)
				s1 := w.start("s1", 21, bothSeeds, nil)
				w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
				evil := w.stranger(tc.name, "tandem", tc.meta)
				if _, err := evil.ml.Join([]string{"10.0.0.11:7946"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(30 * time.Second)
				w.agree(0, "lb1:alive s1:alive", lb1, s1)
				if lb1.Stats().BadMeta == 0 {
					t.Error("not counted")
				}
			})
		})
	}
}

func TestAMemberThatTurnsBadStaysAsItWas(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		evil := w.stranger("evil#1-A", "tandem", []byte{2, 3, 1, 2})
		if _, err := evil.ml.Join([]string{"10.0.0.11:7946"}); err != nil {
			t.Fatal(err)
		}
		w.agree(time.Second, "evil:alive lb1:alive", lb1)
		evil.meta = []byte("rubbish")
		_ = evil.ml.UpdateNode(time.Second)
		time.Sleep(5 * time.Second)
		if lb1.Stats().BadMeta == 0 || len(lb1.heardOf("evil")) != 1 {
			t.Errorf("heard of evil: %q, %+v", lb1.heardOf("evil"), lb1.Stats())
		}
	})
}

func TestDirectMessagesOfRubbishAreCountedAndIgnored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		evil := w.stranger("evil#1-A", "tandem", []byte{2, 3, 1, 2})
		node := &memberlist.Node{Name: "lb1", Addr: []byte{10, 0, 0, 11}, Port: 7946}
		for _, msg := range []string{"rubbish", "\x02", "\x02\x08s1#1-AAAxxxx", "\x01\x02s1", strings.Repeat("\x01", 1<<20)} {
			if err := evil.ml.SendReliable(node, []byte(msg)); err != nil {
				t.Fatal(err)
			}
			_ = evil.ml.SendBestEffort(node, []byte(msg[:min(len(msg), 100)]))
		}
		time.Sleep(time.Second)
		if got := lb1.Stats().BadMessages; got != 10 {
			t.Errorf("%d bad messages counted, want 10", got)
		}
	})
}

// Docker Swarm and MetalLB use memberlist on the same port.
func TestAnotherProductsClusterIsKeptApart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		other := w.stranger("swarm", "", nil)
		if _, err := other.ml.Join([]string{"10.0.0.11:7946"}); err == nil {
			t.Error("it has joined")
		}
		if err := lb1.Join(t.Context(), "10.0.0.66"); err == nil {
			t.Error("it was joined")
		}
		w.agree(0, "lb1:alive", lb1)
	})
}

// A member that holds the gossip key invents thousands of others: those that are there stay, what is kept is bounded, and
// when it stops, whoever joins is known at once.
func TestAFloodOfInventedMembersDisplacesNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quiet := func(cfg *membership.Config) { cfg.Log = nobodyListens }
		lb1 := w.start("lb1", 11, bothSeeds, quiet)
		s1 := w.start("s1", 21, bothSeeds, quiet)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		from := w.net.Listen("10.0.0.66")
		for i := range 5000 {
			last := byte(i)
			if i%2 == 0 {
				last = 66 // half of them at its own address
			}
			name := fmt.Sprintf("evil%d#1-A", i)
			if _, err := from.WriteTo(aliveMessage(name, [4]byte{10, 9, byte(i >> 8), last}), "10.0.0.11:7946"); err != nil {
				t.Fatal(err)
			}
			if i%500 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		synctest.Wait()
		known := len(lb1.Members())
		if known > 2+2048+200 || lb1.Stats().RefusedNew == 0 {
			t.Errorf("%d members are known, %d refused", known, lb1.Stats().RefusedNew)
		}
		for _, name := range []string{"lb1", "s1"} {
			if !lb1.member(name).State.Present() {
				t.Errorf("%s is gone", name)
			}
		}
		time.Sleep(2 * time.Second)
		s2 := w.start("s2", 22, bothSeeds, quiet)
		took := w.within(5*time.Second, "who joins afterwards is known", func() bool { return lb1.member("s2").State.Present() })
		t.Logf("%d of 5000 invented members were taken in; a new one was known after %v", known-2, took)
		if n := len(lb1.Members()); n > known+1 {
			t.Errorf("%d members are kept, of %d", n, known)
		}
		if !s2.member("lb1").State.Present() || len(lb1.heardOf("s1")) != 1 {
			t.Errorf("s2 does not see lb1, or s1 went: %q", lb1.heardOf("s1"))
		}
	})
}

// aliveMessage is memberlist's packet that says that an agent without an app is at an address.
func aliveMessage(name string, addr [4]byte) []byte {
	const hasLabel, alive = 244, 4
	b := append([]byte{hasLabel, byte(len("tandem"))}, "tandem"...)
	b = append(b, alive, 0x86) // a map of six
	field := func(key string, value ...byte) {
		b = append(append(append(b, 0xa0|byte(len(key))), key...), value...)
	}
	raw := func(v []byte) []byte { return append([]byte{0xda, 0, byte(len(v))}, v...) }
	field("Incarnation", 1)
	field("Node", raw([]byte(name))...)
	field("Addr", raw(addr[:])...)
	field("Port", 0xcd, 0x1f, 0x0a) // 7946
	field("Meta", raw([]byte{2, 3, 1, 2})...)
	field("Vsn", raw([]byte{1, 5, 2, 0, 0, 0})...)
	return b
}
