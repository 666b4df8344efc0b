package handover

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

// someFlow makes the i-th connection: of both families, to two servers each.
func someFlow(i int) Flow {
	server, client := netip.MustParseAddr("192.0.2.1"), netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
	if i%2 == 1 {
		server = netip.MustParseAddr("2001:db8::1")
		client = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 1, 14: byte(i >> 8), 15: byte(i)})
	}
	return Flow{
		Client: netip.AddrPortFrom(client, uint16(1024+i)),
		Server: netip.AddrPortFrom(server, uint16(80+i/2%2)),
	}
}

func decodeAll(t testing.TB, messages [][]byte) (all Batch) {
	t.Helper()
	for i, m := range messages {
		if len(m) > MaxBatch {
			t.Errorf("message %d has %d bytes; at most %d are allowed", i, len(m), MaxBatch)
		}
		b, err := DecodeBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		if b.Reset && i > 0 {
			t.Errorf("message %d voids those before it", i)
		}
		all.Reset = all.Reset || b.Reset
		all.Added, all.Gone = append(all.Added, b.Added...), append(all.Gone, b.Gone...)
	}
	return all
}

func TestABatchComesOutAsItWentIn(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 1000, 5000} {
		var b Batch
		b.Reset = n%2 == 0
		for i := range n {
			b.Added = append(b.Added, someFlow(i))
			b.Gone = append(b.Gone, someFlow(n+i))
		}
		slices.SortFunc(b.Added, byServer)
		messages := b.encode()
		if got := decodeAll(t, messages); !reflect.DeepEqual(got, b) {
			t.Errorf("%d: another batch came out", n)
		}
		if n == 0 && len(messages) != 1 {
			t.Errorf("a reset to nothing is %d messages, want one", len(messages))
		}
	}
	if got := (Batch{}).encode(); got != nil {
		t.Errorf("no change is said in %d messages", len(got))
	}
	var four Batch
	for i := range 1000 {
		four.Added = append(four.Added, someFlow(2*i))
	}
	slices.SortFunc(four.Added, byServer)
	if size := len(four.encode()[0]); size > 6*1000+50 {
		t.Errorf("1000 clients of one VIP take %d bytes", size)
	}
}

func TestWhatNobodyCouldHaveSentIsRefused(t *testing.T) {
	good := (Batch{Added: []Flow{someFlow(0)}}).encode()[0]
	spoiled := func(f func(m []byte) []byte) []byte { return f(slices.Clone(good)) }
	for name, m := range map[string][]byte{
		"empty":          {},
		"version":        spoiled(func(m []byte) []byte { m[0] = 9; return m }),
		"flags":          spoiled(func(m []byte) []byte { m[1] = 0x80; return m }),
		"kind":           spoiled(func(m []byte) []byte { m[2] = 4; return m }),
		"no clients":     spoiled(func(m []byte) []byte { return append(m[:9], 0, 0) }),
		"too few":        spoiled(func(m []byte) []byte { m[10] = 2; return m }),
		"cut":            good[:len(good)-1],
		"cut run":        good[:5],
		"multicast":      spoiled(func(m []byte) []byte { m[11] = 224; return m }),
		"loopback":       spoiled(func(m []byte) []byte { m[11] = 127; return m }),
		"broadcast":      spoiled(func(m []byte) []byte { copy(m[11:], []byte{255, 255, 255, 255}); return m }),
		"port 0":         spoiled(func(m []byte) []byte { m[15], m[16] = 0, 0; return m }),
		"port 0 there":   spoiled(func(m []byte) []byte { m[7], m[8] = 0, 0; return m }),
		"client is VIP":  spoiled(func(m []byte) []byte { copy(m[11:15], m[3:7]); return m }),
		"over the bound": append(slices.Clone(good), bytes.Repeat(good[2:], MaxBatch/len(good[2:]))...),
	} {
		if b, err := DecodeBatch(m); err == nil {
			t.Errorf("%s: %d added and %d gone", name, len(b.Added), len(b.Gone))
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	var b Batch
	for i := range 9 {
		b.Added, b.Gone = append(b.Added, someFlow(i)), append(b.Gone, someFlow(100+i))
	}
	f.Add(b.encode()[0])
	f.Add(Batch{Reset: true}.encode()[0])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := DecodeBatch(data)
		if err != nil {
			return
		}
		if got := decodeAll(t, b.encode()); !reflect.DeepEqual(got, b) {
			t.Errorf("%+v became %+v", b, got)
		}
		for _, w := range slices.Concat(b.Added, b.Gone) {
			if !w.plausible() {
				t.Errorf("%+v was let through", w)
			}
			bareACK(w, 1, 2) // must not panic on anything that was
		}
	})
}

// A peer that gets all messages knows what the node knows, whatever comes, goes, or is said
// again; and one that lost some does so after the next full list.
func TestTheBookFollowsTheLedger(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1000, 0)
	l, book := newLedger(150), new(Book)
	live := map[Flow]bool{}
	list := func(lose bool) {
		l.begin()
		for w := range live {
			l.see(w)
		}
		for _, m := range l.end(now).encode() {
			if lose {
				l.again = true
				continue
			}
			if err := book.Apply("peer", m); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Second)
	}
	same := func(when string) {
		t.Helper()
		if !maps.EqualFunc(book.peers["peer"], l.known, func(struct{}, uint32) bool { return true }) {
			t.Fatalf("%s: the peer knows %d connections, this node told of %d", when, len(book.peers["peer"]), len(l.known))
		}
		for w := range l.known {
			if !live[w] {
				t.Fatalf("%s: %v is known, and gone", when, w)
			}
		}
		if want := min(150, len(live)); len(l.known) != want || l.leftOut != len(live)-want {
			t.Fatalf("%s: of %d connections %d are known and %d left out", when, len(live), len(l.known), l.leftOut)
		}
	}
	for round := range 300 {
		for range 40 {
			if w := someFlow(rng.IntN(400)); rng.IntN(2) == 0 {
				live[w] = true
			} else {
				delete(live, w)
			}
		}
		lose := round%20 == 13
		list(lose)
		if list(false); !l.again { // once more: who has gone makes room for the next list only
			same(fmt.Sprintf("round %d", round))
		}
	}
	now = now.Add(fullEvery)
	l.again = true
	list(false)
	list(false)
	same("at the end")
}

func TestEverythingIsNotSaidAllTheTime(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLedger(10)
	full := 0
	for range 100 {
		l.begin()
		l.see(someFlow(1))
		if l.end(now).Reset {
			full++
		}
		l.again = true
		now = now.Add(100 * time.Millisecond)
	}
	if full != 2 {
		t.Errorf("everything was said %d times in 10 s, want 2", full)
	}
}
