package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Why a keeper refuses a datagram, in the words of its status.
const (
	notAnAdvert  = "not an advert"
	cutShort     = "advert cut short"
	tooLong      = "advert too long"
	otherVersion = "advert of another version"
	unknownFlags = "advert with unknown flags"
	unsealed     = "advert without authentication, but this node has a key"
	otherKey     = "advert sealed with another key, or altered"
	noSession    = "no session with this node yet, or a datagram of another one: an exchange is due"
	ownDatagram  = "this node's own datagram"
	repeated     = "advert repeated or overtaken by a later one"
	notAsked     = "answer to no question that waits for one"
	tooManyHello = "too many exchanges in one second"
	tooManyAsked = "too many questions in one second"
)

// each is how many of each kind are sent in each name, slowly enough that none is lost.
const each = 20

// hostile is a kind of datagram that a third host sends, and why it is refused.
type hostile struct {
	what, why string
	b         []byte
}

// with returns a copy of b with one byte changed; negative numbers count from the end.
func with(b []byte, i int, to byte) []byte {
	b = slices.Clone(b)
	b[(i+len(b))%len(b)] = to
	return b
}

// hostileKinds makes every kind out of what was recorded: of the backup's life before, and of now.
func hostileKinds(tp *tap, active, backup netip.Addr, before []datagram, restarted, since time.Time) []hostile {
	advert := tp.last(kindAdvert, backup, active, since)
	own := tp.last(kindAdvert, active, backup, since)
	hello := tp.last(kindHello, backup, active, restarted)
	answer := tp.last(kindAnswer, active, backup, since)
	question := tp.last(kindQuestion, backup, active, since)
	kinds := []hostile{
		{"garbage", notAnAdvert, bytes.Repeat([]byte("garbage "), 8)},
		{"nothing", cutShort, nil},
		{"three bytes of an advert", cutShort, advert[:3]},
		{"an advert without its tag", cutShort, advert[:30]},
		{"an advert that is too long", tooLong, append(slices.Clone(advert), make([]byte, 1200)...)},
		{"another version", otherVersion, with(advert, 2, 9)},
		{"unknown flags", unknownFlags, with(advert, 3, 0x81)},
		{"an unsealed advert", unsealed, with(advert, 3, kindAdvert-1)},
		{"an unsealed question", unsealed, with(question, 3, kindQuestion-1)},
		{"an altered advert", otherKey, with(advert, -1, advert[len(advert)-1]+1)},
		{"an altered question", otherKey, with(question, -1, question[len(question)-1]+1)},
		{"a forged hello", otherKey, with(hello, -1, hello[len(hello)-1]+1)},
		{"a replayed advert", repeated, advert},
		{"this node's own advert", ownDatagram, own},
		{"this node's own answer", ownDatagram, answer},
		{"this node's own hello", ownDatagram, tp.last(kindHello, active, backup, restarted)},
	}
	// What follows makes the two agree on new sessions, in which those of before do not count any more.
	kinds = append(
		kinds,
		hostile{"an advert under an unknown session", noSession, with(advert, 12, advert[12]+1)},
		hostile{"a question under an unknown session", noSession, with(question, 12, question[12]+1)},
	)
	for _, d := range before {
		kinds = append(kinds, hostile{fmt.Sprintf("kind %d of a session before", d.kind()), noSession, d.b})
	}
	return kinds
}

// Whatever a third host sends, and in whose name: it is counted by its reason, nothing moves, and
// the balancers go on hearing each other (E2).
func TestE2HostileDatagramsAreCountedAndHarmless(t *testing.T) {
	s, active := newKeyedPair(t)
	backup := other(active)
	addr := func(lb string) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 42, byte(numbers[lb])}) }
	tp := s.tap(active)
	began := time.Now()
	var before []datagram
	for _, kind := range []byte{kindAdvert, kindQuestion} {
		before = append(before, datagram{b: tp.last(kind, addr(backup), addr(active), began)})
	}
	restarted := time.Now()
	s.restart(backup)
	s.untilHeard(backup, "backup")
	was := s.untilHeard(active, "active")

	hello := tp.last(kindHello, addr(backup), addr(active), restarted)
	a := s.attacker(s.client, addr(active), addr("client"), addr(backup))
	want := map[string]uint64{}
	var sent time.Time
	send := func(since time.Time) {
		clear(want)
		for _, k := range hostileKinds(tp, addr(active), addr(backup), before, restarted, since) {
			for range each {
				a.send(k.b)
				time.Sleep(100 * time.Microsecond)
			}
			want[k.why] += uint64(each * len(a.as))
		}
		sent = time.Now()
	}
	send(restarted)
	s.until("each datagram is counted by its reason", func() (bool, string) {
		if time.Since(sent) > 3*time.Second { // what was recorded may be of a session that did not last: again
			send(sent)
		}
		st, err := s.status(active)
		if err != nil {
			return false, err.Error()
		}
		for why, n := range want {
			if got := st.Adverts.Refused[why] - was.Adverts.Refused[why]; got < n {
				return false, fmt.Sprintf("%d refused as %q, want %d", got, why, n)
			}
		}
		return true, ""
	})
	s.replayAnswer(s.attacker(s.client, addr(backup), addr("client"), addr(active)), tp, addr(active), addr(backup), backup)
	s.flood(a, active, func() []byte { return tp.last(kindQuestion, addr(backup), addr(active), time.Now()) }, hello)
	want[tooManyHello], want[tooManyAsked] = 1, 1

	st := s.untilHeard(active, "active")
	if got, was := st.Groups[0].Epoch, was.Groups[0].Epoch; got != was {
		t.Errorf("epoch %d, before %d: the VIP moved", got, was)
	}
	for why := range st.Adverts.Refused {
		if want[why] == 0 && was.Adverts.Refused[why] == 0 {
			t.Errorf("%d datagrams were refused for a reason that was not expected: %q", st.Adverts.Refused[why], why)
		}
	}
	s.stays(active, 200*time.Millisecond)
	if most := s.mostOwners(began); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
	s.untilServedBy("web1", "web2")
}

// replayAnswer sends a balancer what it was answered, once more and again when it is too late.
func (s *site) replayAnswer(a *attacker, tp *tap, from, to netip.Addr, lb string) {
	s.t.Helper()
	for _, why := range []string{repeated, notAsked} {
		answer := tp.last(kindAnswer, from, to, time.Now())
		s.until("a replayed answer is refused as: "+why, func() (bool, string) {
			a.send(answer)
			st, err := s.status(lb)
			if err != nil {
				return false, err.Error()
			}
			return st.Adverts.Refused[why] > 0, fmt.Sprint(st.Adverts.Refused)
		})
	}
}

// flood sends what is answered when it is genuine, as fast as it goes: no more is said than is bounded, and
// the keeper does not grow.
func (s *site) flood(a *attacker, lb string, question func() []byte, hello []byte) {
	s.t.Helper()
	before := s.untilHeard(lb, "active")
	began := time.Now()
	send := func(span time.Duration, what ...[]byte) {
		for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			for range 20 {
				for _, b := range what {
					a.send(b)
				}
			}
		}
	}
	send(time.Second, question())
	send(time.Second, hello) // makes new sessions, in which the question does not count any more
	var after status
	s.until("the flood is counted", func() (bool, string) {
		var err error
		if after, err = s.status(lb); err != nil {
			return false, err.Error()
		}
		r := after.Adverts.Refused
		if r[tooManyAsked] == 0 { // a busy machine sent too few in a second, or of a session that did not last
			send(time.Second, question())
		}
		return r[tooManyHello] > 0 && r[tooManyAsked] > 0, fmt.Sprint(r)
	})
	heard := after.Adverts.Heard - before.Adverts.Heard
	if least := uint64(time.Since(began) / (20 * time.Millisecond) / 4); heard < least {
		s.t.Errorf("%d adverts of the backup were heard during the flood, want at least %d", heard, least)
	}
	rss := func(st status) int64 {
		for _, p := range st.Processes {
			if p.Name == "keeper" {
				return p.RSS
			}
		}
		return 0
	}
	// The keeper lets 32 MB of garbage gather (spareHeap in internal/keeper).
	if grown := rss(after) - rss(before); grown > (32+16)<<20 {
		s.t.Errorf("the keeper has grown by %d bytes", grown)
	}
	s.t.Logf("%d adverts heard meanwhile; refused %v; the keeper grew by %d KiB", heard, after.Adverts.Refused, (rss(after)-rss(before))>>10)
}
