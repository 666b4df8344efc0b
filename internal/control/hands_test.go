package control

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/ipc"
)

var handTime = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func TestBalancersAgreeOnWhatWasSetByHandInWhateverOrderTheyHearOfIt(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var words []hand
	for i := range 60 {
		words = append(words, hand{
			Pool: "web", Backend: "web" + strconv.Itoa(rnd.IntN(5)), State: []string{"", stateDrain, stateMaint}[rnd.IntN(3)], Weight: rnd.IntN(3),
			Node: []string{"lb1", "lb2"}[i%2], At: handTime.Add(time.Duration(i/2) * time.Second),
		})
	}
	var first hands
	for range 20 {
		rnd.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		hs := hands{}
		n := rnd.IntN(len(words))
		hs.merge(words[:n], handTime.Add(time.Hour))
		hs.merge(words[n:], handTime.Add(time.Hour))
		if hs.merge(words, handTime.Add(time.Hour)) {
			t.Errorf("seed %d: what was heard once is news again", seed)
		}
		if first == nil {
			first = hs
		}
		if !reflect.DeepEqual(first, hs) {
			t.Fatalf("seed %d: %v, and in another order %v", seed, first, hs)
		}
	}
}

func TestTheLatestWordCountsThoughTheClockOfItsBalancerIsBehind(t *testing.T) {
	hs := hands{}
	hs.merge([]hand{{Pool: "web", Backend: "a", State: stateDrain, Node: "lb2", At: handTime.Add(time.Hour)}}, handTime)
	if err := hs.set(hand{Pool: "web", Backend: "a", Node: "lb1"}, handTime); err != nil {
		t.Fatal(err)
	}
	other := hands{}
	other.merge([]hand{{Pool: "web", Backend: "a", State: stateDrain, Node: "lb2", At: handTime.Add(time.Hour)}}, handTime)
	if !other.merge(hs.list(), handTime) || !other[handKey{"web", "a"}].undone() {
		t.Errorf("lb2 still has %v", other)
	}
}

func TestWhatWasUndoneMakesRoomAndWhatIsInForceDoesNot(t *testing.T) {
	hs := hands{}
	for i := range maxHands {
		state := stateDrain
		if i == 7 {
			state = ""
		}
		if err := hs.set(hand{Pool: "web", Backend: strconv.Itoa(i), State: state, Node: "lb1"}, handTime.Add(time.Duration(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := hs.set(hand{Pool: "web", Backend: "one more", State: stateDrain, Node: "lb1"}, handTime); err != nil {
		t.Errorf("backend 7 was undone, and made no room: %v", err)
	}
	if err := hs.set(hand{Pool: "web", Backend: "another", State: stateDrain, Node: "lb1"}, handTime); err == nil || len(hs) != maxHands {
		t.Errorf("%d entries, and one more was taken", len(hs))
	}
	if b := encodeHands(hs.list()); len(b) > 60<<10 {
		t.Errorf("a full list has %d bytes, which is no message", len(b))
	}
}

func TestHandsDrainTakeOutAndWeighBackends(t *testing.T) {
	lists := &ipc.Pools{Reload: 3, Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{backend("a", false), backend("b", false), backend("c", true)}},
		{Name: "api", Backends: []ipc.Backend{backend("a", false)}},
	}}
	hs := hands{
		{"web", "a"}:     {State: stateDrain},
		{"web", "b"}:     {State: stateMaint},
		{"web", "c"}:     {Weight: 7},
		{"gone", "away"}: {State: stateDrain},
	}
	weighed := backend("c", true)
	weighed.Weight = 7
	want := &ipc.Pools{Reload: 3, Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{backend("a", true), weighed}},
		{Name: "api", Backends: []ipc.Backend{backend("a", false)}},
	}}
	same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, hs.apply(lists), same); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	if lists.Pools[0].Backends[0].Drain || len(lists.Pools[0].Backends) != 3 {
		t.Error("the lists themselves were changed")
	}
}

func TestABackendIsFoundByNameOrAddressAndNotByGuess(t *testing.T) {
	at := func(id, addr string) ipc.Backend { return ipc.Backend{ID: id, Addr: netip.MustParseAddrPort(addr)} }
	lists := &ipc.Pools{Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{at("web1", "10.0.0.1:80"), at(staticPrefix+"10.0.0.9:80", "10.0.0.9:80")}},
		{Name: "api", Backends: []ipc.Backend{at("web1", "10.0.0.1:81")}},
	}}
	for name, want := range map[string]string{
		"web/web1": "web 10.0.0.1:80", "10.0.0.1:81": "api 10.0.0.1:81", "10.0.0.9:80": "web 10.0.0.9:80", "web/10.0.0.9:80": "web 10.0.0.9:80",
		"web1": "is web/web1 and api/web1", "web": "no backend", "": "no backend",
	} {
		pool, b, err := find(lists, name)
		got := pool + " " + b.Addr.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzHands(f *testing.F) {
	f.Add(encodeHands([]hand{{Pool: "web", Backend: "a", State: stateDrain, Weight: 7, Who: "uid 0", Node: "lb1", At: handTime}}))
	f.Add([]byte(handsMark + "00000000\n[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeHands(b)
		if err != nil {
			if !errors.Is(err, errHands) || list != nil {
				t.Errorf("%v, %v", list, err)
			}
			return
		}
		hs := hands{}
		hs.merge(list, handTime)
		for _, h := range hs {
			if !h.valid() {
				t.Errorf("taken over: %+v", h)
			}
		}
		again, err := decodeHands(encodeHands(hs.list()))
		if err != nil || !bytes.Equal(encodeHands(again), encodeHands(hs.list())) {
			t.Errorf("%v, %v", again, err)
		}
	})
}

func backend(id string, drain bool) ipc.Backend {
	return ipc.Backend{ID: id, Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 100, Drain: drain}
}
