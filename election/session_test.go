package election

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var oldKey, newKey = []byte("the old balancer key"), []byte("the new balancer key")

func newSessions(t testing.TB, node string, boot uint64, keys ...[]byte) *Sessions {
	t.Helper()
	var secret [32]byte
	copy(secret[:], fmt.Sprint(node, boot))
	s, err := NewSessions(node, boot, secret, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange hands datagrams to and fro until nobody replies, and returns all that went.
func exchange(t testing.TB, first []byte, to, from *Sessions) (all [][]byte) {
	t.Helper()
	for b := first; b != nil; to, from = from, to {
		all = append(all, b)
		if len(all) > 8 {
			t.Fatal("the exchange does not end")
		}
		var err error
		if _, b, err = to.Open(b); err != nil && !errors.Is(err, ErrSession) {
			t.Fatal(err)
		}
	}
	return all
}

func advertOf(s *Sessions, seq uint64) *Advert {
	a := fullAdvert()
	a.Node, a.Boot, a.Seq = s.node, s.boot, seq
	return &a
}

// passes: an advert of one is opened by the other.
func passes(t testing.TB, from, to *Sessions) error {
	t.Helper()
	b, err := from.Seal(nil, to.node, advertOf(from, 1))
	if err != nil {
		return err
	}
	a, _, err := to.Open(b)
	if err == nil && a.Node != from.node {
		t.Fatalf("%+v", a)
	}
	return err
}

func TestE2AfterAnExchangeBothSidesBelieveEachOther(t *testing.T) {
	a, b := newSessions(t, "a", 1, newKey), newSessions(t, "b", 2, newKey)
	if err := passes(t, a, b); !errors.Is(err, ErrSession) {
		t.Fatalf("before: %v, want %v", err, ErrSession)
	}
	if n := len(exchange(t, a.Greet(), b, a)); n != 5 {
		t.Errorf("%d datagrams, want 5", n)
	}
	for _, err := range []error{passes(t, a, b), passes(t, b, a)} {
		if err != nil {
			t.Error(err)
		}
	}
	q := Question{Node: "a", Boot: 1, Nonce: 5, Target: "b"}
	sealed, err := a.SealQuestion(nil, "b", &q)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := b.OpenQuestion(sealed); err != nil || got.Nonce != 5 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A call to all makes a session where there is none, and disturbs none that stands.
func TestE2ACallIsForThoseWithoutASession(t *testing.T) {
	a, b := newSessions(t, "a", 1, newKey), newSessions(t, "b", 2, newKey)
	if n := len(exchange(t, a.Call(), b, a)); n != 5 {
		t.Errorf("%d datagrams, want 5", n)
	}
	if err := errors.Join(passes(t, a, b), passes(t, b, a)); err != nil {
		t.Error(err)
	}
	before := a.All()
	if n := len(exchange(t, a.Call(), b, a)); n != 1 || len(before) != 1 || before[0].Node != "b" || before[0].ID != a.All()[0].ID {
		t.Errorf("a second call: %d datagrams, session %+v, then %+v", n, before, a.All())
	}
	again := newSessions(t, "a", 9, newKey)
	if n := len(exchange(t, again.Call(), b, again)); n != 5 {
		t.Errorf("after a restart: %d datagrams, want 5", n)
	}
	if newSessions(t, "c", 3).Call() != nil {
		t.Error("a call without a key")
	}
}

// Whichever datagrams of the exchange are lost, and whoever greets whom at once: the next advert mends it.
func TestE2AnExchangeSurvivesLossAndCrossing(t *testing.T) {
	for pattern := range 1 << 8 {
		a, b := newSessions(t, "a", 1, newKey), newSessions(t, "b", 2, newKey)
		type flight struct {
			b  []byte
			to *Sessions
		}
		queue := []flight{{a.Greet(), b}, {b.Greet(), a}}
		sent := 0
		for rounds := 0; rounds < 60; rounds++ {
			if len(queue) == 0 { // an advert each, or a greeting where there is no session
				for _, p := range [][2]*Sessions{{a, b}, {b, a}} {
					d, err := p[0].Seal(nil, p[1].node, advertOf(p[0], 1))
					if err != nil {
						d = p[0].Greet()
					}
					queue = append(queue, flight{d, p[1]})
				}
			}
			f := queue[0]
			queue = queue[1:]
			lost := sent < 8 && pattern>>sent&1 == 1
			if sent++; lost {
				continue
			}
			other := a
			if f.to == a {
				other = b
			}
			if _, reply, _ := f.to.Open(f.b); reply != nil {
				queue = append(queue, flight{reply, other})
			}
		}
		if err := errors.Join(passes(t, a, b), passes(t, b, a)); err != nil {
			t.Fatalf("pattern %08b: %v", pattern, err)
		}
	}
}

// All that an attacker has recorded, played back in any order to either side, after any restart: it is never
// believed, and what is agreed goes on.
func TestE2NothingOfAnotherSessionIsBelieved(t *testing.T) {
	a, b := newSessions(t, "a", 1, newKey), newSessions(t, "b", 2, newKey)
	var old [][]byte
	old = append(old, exchange(t, a.Greet(), b, a)...)
	advert, err := b.Seal(nil, "a", advertOf(b, 9))
	if err != nil {
		t.Fatal(err)
	}
	old = append(old, advert)
	for boot := range uint64(3) {
		b = newSessions(t, "b", 100+boot, newKey)
		again := exchange(t, b.Greet(), a, b)
		rng := rand.New(rand.NewPCG(boot, 0))
		for range 200 {
			if got, _, err := a.Open(old[rng.IntN(len(old))]); got.Node != "" {
				t.Fatalf("boot %d: believed %+v, %v", boot, got, err)
			}
			if got, _, _ := b.Open(old[rng.IntN(len(old))]); got.Node != "" {
				t.Fatalf("boot %d: b believed %+v", boot, got)
			}
			if err := errors.Join(passes(t, a, b), passes(t, b, a)); err != nil {
				t.Fatalf("boot %d: a replay broke the session: %v", boot, err)
			}
		}
		old = append(old, again...)
	}
}

// Old key only, both, new one first, new one only: at each step of a rotation, whoever restarts finds everybody.
func TestE2KeysRotateWithoutAGap(t *testing.T) {
	steps := [][][]byte{{oldKey}, {oldKey, newKey}, {newKey, oldKey}, {newKey}}
	for i := range steps {
		for j := max(0, i-1); j <= min(i+1, len(steps)-1); j++ { // the two are one step apart at most
			a, b := newSessions(t, "a", 1, steps[i]...), newSessions(t, "b", 2, steps[j]...)
			for range 3 { // each greets until it has a session
				for _, p := range [][2]*Sessions{{a, b}, {b, a}} {
					if _, _, ok := p[0].Key(p[1].node); ok {
						continue
					}
					d := p[0].Greet()
					for to, from := p[1], p[0]; d != nil; to, from = from, to {
						_, d, _ = to.Open(d)
					}
				}
			}
			if err := errors.Join(passes(t, a, b), passes(t, b, a)); err != nil {
				t.Errorf("keys %d and %d: %v", i, j, err)
			}
		}
	}
	a, b := newSessions(t, "a", 1, steps[0]...), newSessions(t, "b", 2, steps[0]...)
	exchange(t, a.Greet(), b, a)
	for _, keys := range steps {
		if err := errors.Join(a.SetKeys(keys), passes(t, a, b), b.SetKeys(keys), passes(t, b, a)); err != nil {
			t.Errorf("a session that exists: %v", err)
		}
	}
}

func TestE2RefusalsHaveNames(t *testing.T) {
	a, b := newSessions(t, "a", 1, newKey), newSessions(t, "b", 2, newKey)
	exchange(t, a.Greet(), b, a)
	good, _ := a.Seal(nil, "b", advertOf(a, 1))
	forged := advertOf(a, 1)
	forged.Node = "c"
	other, _ := a.Seal(nil, "b", forged)
	plain, _ := Seal(nil, advertOf(a, 1), nil)
	direct, _ := Seal(nil, advertOf(a, 1), newKey)
	altered := slices.Clone(good)
	altered[len(altered)-1]++
	stranger := newSessions(t, "s", 3, oldKey)
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":                       {nil, ErrShort},
		"cut":                           {good[:20], ErrShort},
		"not sealed":                    {plain, ErrUnsealed},
		"under the balancer key itself": {direct, ErrSession},
		"altered":                       {altered, ErrTag},
		"for another node":              {other, ErrSender},
		"a hello under an unknown key":  {stranger.Greet(), ErrTag},
		"this node's own hello":         {b.Greet(), ErrSelf},
		"a hello cut short":             {b.Greet()[:10], ErrShort},
		"an unsealed hello":             {[]byte{'T', 'A', wireVersion, flagHello, 0}, ErrUnsealed},
		"two kinds":                     {[]byte{'T', 'A', wireVersion, flagHello | flagAnswer | flagSealed}, ErrFlags},
	} {
		got, reply, err := b.Open(tc.b)
		if !errors.Is(err, tc.want) || got.Node != "" {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, tc.want)
		}
		if (reply != nil) != errors.Is(tc.want, ErrSession) {
			t.Errorf("%s: reply %x", name, reply)
		}
	}
	if _, err := NewSessions("a", 1, [32]byte{}, [][]byte{nil}); err == nil {
		t.Error("an empty key is accepted")
	}
	if _, err := NewSessions("", 1, [32]byte{}, nil); err == nil {
		t.Error("a node without a name is accepted")
	}
}

func TestE2WithoutKeysEverythingPassesOpenly(t *testing.T) {
	a, b := newSessions(t, "a", 1), newSessions(t, "b", 2)
	if a.Greet() != nil {
		t.Error("a greeting without a key")
	}
	if err := errors.Join(passes(t, a, b), passes(t, b, a)); err != nil {
		t.Error(err)
	}
	if err := passes(t, a, a); !errors.Is(err, ErrSelf) {
		t.Errorf("an own advert: %v", err)
	}
	c := newSessions(t, "c", 3, newKey)
	if _, reply, err := a.Open(c.Greet()); !errors.Is(err, ErrSealed) || reply != nil {
		t.Errorf("a hello: %x, %v", reply, err)
	}
}

func TestE2SessionsAreBounded(t *testing.T) {
	a := newSessions(t, "a", 1, newKey)
	for i := range 3 * MaxPeers {
		_, _, err := a.Open(newSessions(t, fmt.Sprint(i), 2, newKey).Greet())
		if want := i >= MaxPeers; errors.Is(err, ErrPeers) != want {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	a.Forget("0")
	if _, _, err := a.Open(newSessions(t, "new", 2, newKey).Greet()); err != nil || len(a.peers) != MaxPeers {
		t.Errorf("after Forget: %v, %d peers", err, len(a.peers))
	}
}

// Whatever arrives: nothing is believed but what the other side sealed, and the session goes on.
func FuzzSessions(f *testing.F) {
	a, b := newSessions(f, "a", 1, newKey), newSessions(f, "b", 2, newKey)
	for _, d := range exchange(f, a.Greet(), b, a) {
		f.Add(d)
	}
	advert, _ := b.Seal(nil, "a", advertOf(b, 3))
	f.Add(advert)
	f.Add(advert[:50])
	question, _ := b.SealQuestion(nil, "a", &Question{Node: "b", Boot: 2, Nonce: 1})
	f.Add(question)
	f.Fuzz(func(t *testing.T, d []byte) {
		if got, _, err := a.Open(d); err == nil && got.Node != "" && string(d) != string(advert) {
			t.Fatalf("believed %x", d)
		}
		if got, _, err := a.OpenQuestion(d); err == nil && got.Node != "" && string(d) != string(question) {
			t.Fatalf("believed the question %x", d)
		}
		if err := passes(t, b, a); err != nil {
			t.Fatalf("the session is broken: %v", err)
		}
	})
}
