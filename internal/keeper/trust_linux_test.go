package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/election"
)

var (
	balancerKey = []byte("a balancer key")
	addrA       = netip.MustParseAddr("10.0.0.1")
	addrB       = netip.MustParseAddr("10.0.0.2")
)

const bootOfAll = 7

func trustOf(t *testing.T, node string, keys ...[]byte) *trust {
	t.Helper()
	tr, err := newTrust(node, bootOfAll, keys)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// exchange hands datagrams to and fro, the first to b, and returns whom each side has agreed with.
func exchange(t *testing.T, first []byte, a, b *trust, now time.Time) (byA, byB string) {
	t.Helper()
	to, from, toB := b, addrA, true
	for d := first; d != nil; {
		r, err := to.open(d, from, now)
		if err != nil && !errors.Is(err, election.ErrSession) {
			t.Fatal(err)
		}
		if r.agreed != "" && toB {
			byB = r.agreed
		} else if r.agreed != "" {
			byA = r.agreed
		}
		if d, toB = r.reply, !toB; toB {
			to, from = b, addrA
		} else {
			to, from = a, addrB
		}
	}
	return byA, byB
}

func advert(node string) *election.Advert {
	return &election.Advert{Node: node, Boot: bootOfAll, Seq: 1, Addr: addrA, Interval: 20 * time.Millisecond}
}

func TestE2WhoeverAgreesIsSealedForAtOnce(t *testing.T) {
	a, b, now := trustOf(t, "a", balancerKey), trustOf(t, "b", balancerKey), time.Now()
	if d, err := a.seal(nil, "b", advert("a")); d != nil || err != nil {
		t.Fatalf("sealed without a session: %x, %v", d, err)
	}
	if byA, byB := exchange(t, a.hails.Load().greet, a, b, now); byA != "b" || byB != "a" {
		t.Fatalf("agreed: %q, %q", byA, byB)
	}
	d, err := a.sealQuestion("b", &election.Question{Node: "a", Boot: bootOfAll, Nonce: 7})
	if err != nil || d == nil {
		t.Fatalf("%x, %v", d, err)
	}
	if r, err := b.open(d, addrA, now); err != nil || r.question.Nonce != 7 || r.reply != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// The sender seals while others open: nothing is shared that may change (go test -race).
func TestE2SealingWaitsForNobody(t *testing.T) {
	a, b, now := trustOf(t, "a", balancerKey), trustOf(t, "b", balancerKey), time.Now()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					a.seal(nil, "b", advert("a"))
				}
			}
		})
	}
	for range 100 { // each exchange makes a new session
		exchange(t, a.hails.Load().greet, a, b, now)
		now = now.Add(time.Second)
	}
	a.mu.Lock() // somebody opens a datagram and is not done: whoever seals does not wait
	if d, err := a.seal(nil, "b", advert("a")); d == nil || err != nil {
		t.Errorf("%x, %v", d, err)
	}
	a.mu.Unlock()
	close(stop)
	wg.Wait()
}

func TestE2RepliesAreBoundedAndPeersKeepTheirShare(t *testing.T) {
	a, now := trustOf(t, "a", balancerKey), time.Unix(100, 0)
	a.setPeers([]netip.Addr{addrB})
	stranger, unknown := trustOf(t, "b", balancerKey), make([]byte, 36)
	copy(unknown, stranger.hails.Load().greet[:3])
	unknown[3] = 1 // sealed
	var datagram []byte
	flood := func(from netip.Addr) (replies int, last error) {
		for range 10 * hellosPerSecond {
			r, err := a.open(datagram, from, now)
			if r.reply != nil {
				replies++
			}
			last = err
		}
		return replies, last
	}
	for _, tc := range []struct {
		datagram []byte
		bound    int
		err      error
	}{{stranger.hails.Load().greet, hellosPerSecond, errExchanges}, {unknown, greetsPerSecond, election.ErrSession}} {
		datagram = tc.datagram
		for i := range 3 {
			want := tc.bound
			if i > 0 {
				want = 0 // the strangers' share is one
			}
			if n, err := flood(netip.AddrFrom4([4]byte{10, 9, 9, byte(i)})); n != want || !errors.Is(err, tc.err) {
				t.Errorf("stranger %d: %d replies, %v; want %d, %v", i, n, err, want, tc.err)
			}
		}
		if n, _ := flood(addrB); n != tc.bound {
			t.Errorf("a peer got %d replies, want %d", n, tc.bound)
		}
	}
	now = now.Add(time.Second)
	if n, _ := flood(addrB); n != greetsPerSecond {
		t.Errorf("a second later: %d replies, want %d", n, greetsPerSecond)
	}
}

func TestE2WhoIsGoneMakesRoom(t *testing.T) {
	a, now := trustOf(t, "a", balancerKey), time.Unix(100, 0)
	for i := range 3 * election.MaxPeers {
		n := trustOf(t, fmt.Sprint("n", i), balancerKey)
		a.open(n.hails.Load().greet, addrB, now)
		now = now.Add(time.Second)
	}
	b := trustOf(t, "b", balancerKey)
	if _, err := a.open(b.hails.Load().greet, addrB, now); !errors.Is(err, election.ErrPeers) {
		t.Fatalf("there is room for one more: %v; the test fills nothing", err)
	}
	a.sweep(now, now.Add(-time.Minute), func(string) bool { return false }) // sees them for the first time
	now = now.Add(2 * time.Minute)
	gone := a.sweep(now, now.Add(-time.Minute), func(node string) bool { return node == "n3" })
	if len(gone) != election.MaxPeers-1 || len(a.heard) != 1 {
		t.Errorf("%d are gone, %d left", len(gone), len(a.heard))
	}
	if byB, byA := exchange(t, b.hails.Load().greet, b, a, now); byA != "b" || byB != "a" {
		t.Errorf("there is no room for another: %q, %q", byA, byB)
	}
	if _, ok := a.key("b"); !ok {
		t.Error("no key for it")
	}
	a.sweep(now.Add(2*time.Minute), now.Add(time.Minute), func(string) bool { return false })
	if _, ok := a.key("b"); ok {
		t.Error("a node that is gone is still sealed for")
	}
}

func TestE2WithoutKeysNobodyIsGreeted(t *testing.T) {
	a, b, now := trustOf(t, "a"), trustOf(t, "b"), time.Now()
	if a.hails.Load().greet != nil || a.hails.Load().call != nil || a.keyed {
		t.Errorf("%+v", a)
	}
	d, err := a.seal(nil, "", advert("a"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := b.open(d, addrA, now); err != nil || r.advert.Node != "a" || r.agreed != "" {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range 5 * election.MaxPeers {
		d, _ := a.seal(nil, "", advert(fmt.Sprint("n", i)))
		b.open(d, addrA, now)
	}
	if len(b.heard) > 2*election.MaxPeers {
		t.Errorf("%d nodes are remembered", len(b.heard))
	}
}

func TestGreetingsBackOff(t *testing.T) {
	g := greetings{first: 20 * time.Millisecond, due: make(map[netip.AddrPort]greeting)}
	to, start := netip.AddrPortFrom(addrB, 7947), time.Unix(100, 0)
	at := func() (times []time.Duration) {
		for d := time.Duration(0); d < 4*time.Second; d += 5 * time.Millisecond {
			if g.next(to, start.Add(d)) {
				times = append(times, d/time.Millisecond)
			}
		}
		return times
	}
	const want = "[0 20 60 140 300 620 1260 2260 3260]"
	if got := fmt.Sprint(ints(at())); got != want {
		t.Errorf("greeted at %s ms, want %s", got, want)
	}
	g.done(to)
	if !g.next(to, start) {
		t.Error("a session that is lost is not missed at once")
	}
	for i := range 10 * maxPeers {
		g.next(netip.AddrPortFrom(addrB, uint16(i)), start)
	}
	if len(g.due) > maxPeers {
		t.Errorf("%d addresses are remembered", len(g.due))
	}
}

func ints(ds []time.Duration) (out []int64) {
	for _, d := range ds {
		out = append(out, int64(d))
	}
	return out
}

func TestE4AnAnswerCountsOnceFromEachPath(t *testing.T) {
	var q questions
	now := time.Unix(100, 0)
	qa := func(nonce uint64, path election.Path) queryAnswer {
		return queryAnswer{election.Advert{Node: "b", Echo: nonce}, path}
	}
	q.add(5, now)
	for _, tc := range []struct {
		what string
		qa   queryAnswer
		at   time.Duration
		want error
	}{
		{"a nonce that was never sent", qa(6, election.PathDirect), 0, errUnasked},
		{"the first answer", qa(5, election.PathDirect), 0, nil},
		{"the same again", qa(5, election.PathDirect), 0, election.ErrReplay},
		{"by another path", qa(5, election.PathRelay), time.Second, nil},
		{"too late", qa(5, election.PathWire), answerAge + 1, errUnasked},
	} {
		if err := q.expects(tc.qa, now.Add(tc.at)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.what, err, tc.want)
		}
	}
	for i := range 64 {
		q.add(uint64(100+i), now)
	}
	if err := q.expects(qa(5, election.PathWire), now); !errors.Is(err, errUnasked) {
		t.Errorf("after 64 more questions: %v", err)
	}
}
