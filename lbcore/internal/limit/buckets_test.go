package limit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// four is the source of the n-th IPv4 address.
func four(n int) Key {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(n))
	return KeyOf(netip.AddrFrom4(a).As16(), DefaultPrefix6, 0)
}

func rate(count int, per time.Duration, burst int) Rate {
	return NewRate(&route.Rate{Count: count, Per: per, Burst: burst})
}

// model is a token bucket as one would write it down: what is there to take is a time, every for
// each.
type model struct{ there, every, room, at time.Duration }

func (m *model) take(now time.Duration) bool {
	m.there = min(m.room, m.there+now-m.at)
	m.at = now
	if m.there < m.every {
		return false
	}
	m.there -= m.every
	return true
}

// FuzzNeverMoreThanTheRateAndTheBurst checks all there is to a token bucket, whatever the times at
// which it is asked: never more than the burst and what came back, the same as the model gives,
// whose rate is less by what a nanosecond is of one's time, and one after the wait that was told.
func FuzzNeverMoreThanTheRateAndTheBurst(f *testing.F) {
	f.Add(uint64(1), uint32(100), uint32(1000), uint32(10))
	f.Add(uint64(2), uint32(5), uint32(60_000), uint32(5))
	f.Add(uint64(3), uint32(1_000_000), uint32(1000), uint32(1))
	f.Add(uint64(4), uint32(1), uint32(3_600_000), uint32(1_000_000))
	f.Add(uint64(116), uint32(999_981), uint32(1016), uint32(3))
	f.Fuzz(func(t *testing.T, seed uint64, n, ms, b uint32) {
		count, burst := int(n%route.MaxRate)+1, int(b%route.MaxRate)+1
		per := max(route.MinPer, min(route.MaxPer, time.Duration(ms)*time.Millisecond))
		every := (per + time.Duration(count) - 1) / time.Duration(count)
		m := model{there: every * time.Duration(burst), every: every, room: every * time.Duration(burst)}
		random, table, r := rand.New(rand.NewPCG(seed, 0)), NewBuckets(MinSources), rate(count, per, burst)
		k, now, got := four(int(seed)), time.Duration(0), 0
		for range 2000 {
			now += time.Duration(random.Int64N(2*int64(every) + 1))
			wait := table.Take(k, r, now)
			if m.take(now) != (wait == 0) {
				t.Fatalf("at %v it has to wait for %v, and in the model not so", now, wait)
			}
			if wait > 0 && random.IntN(20) == 0 {
				now += wait
				if wait = table.Take(k, r, now); wait != 0 || !m.take(now) {
					t.Fatalf("%v: after the wait it is refused for %v", now, wait)
				}
			}
			if wait == 0 {
				got++
			}
			if most := float64(burst) + float64(now)*float64(count)/float64(per); float64(got) > most {
				t.Fatalf("%d in %v: more than %v", got, now, most)
			}
		}
	})
}

// Somebody who has used up his bucket does not get a new one by having a flood of others
// come, each of which asks once: they push each other out.
func TestAFloodOfSourcesPushesOutItsOwnKind(t *testing.T) {
	table, r := NewBuckets(MinSources), rate(10, time.Second, 10)
	heavy := four(1 << 30)
	now := time.Duration(0)
	for table.Take(heavy, r, now) == 0 {
	}
	admitted := 0
	for i := range 200 * MinSources { // within the 0.1 s in which one comes back
		now += 100 * time.Millisecond / (200 * MinSources)
		if wait := table.Take(four(i), r, now); wait != 0 {
			t.Fatalf("source %d, which is new, has to wait for %v", i, wait)
		}
		if table.Take(heavy, r, now) == 0 {
			admitted++
		}
	}
	if admitted > 1 {
		t.Errorf("it was let in %d times", admitted)
	}
	if n := len(table.sets) * ways; n != MinSources {
		t.Errorf("room for %d sources, want %d", n, MinSources)
	}
}

// What was used stays used when the rate changes, within the new burst.
func TestAnotherRateGoesOnWithTheBucket(t *testing.T) {
	table, k := NewBuckets(MinSources), four(1)
	slow, quick := rate(1, time.Minute, 5), rate(10, time.Second, 10)
	for range 5 {
		table.Take(k, slow, 0)
	}
	if wait := table.Take(k, slow, 0); wait != time.Minute {
		t.Fatalf("wait %v, want 1m", wait)
	}
	if wait := table.Take(k, quick, 0); wait != 100*time.Millisecond {
		t.Fatalf("wait %v, want 100ms: all of the new burst is used", wait)
	}
}

// All goroutines together get what one would.
func TestABucketIsShared(t *testing.T) {
	table, r, k := NewBuckets(MinSources), rate(1, time.Hour, 1000), four(1)
	var wg sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		wg.Go(func() {
			for range 1000 {
				if table.Take(k, r, 0) == 0 {
					got[i]++
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != 1000 {
		t.Errorf("%d were let in, want 1000", sum)
	}
}

func TestSourcesAreToldApartByTheirPrefix(t *testing.T) {
	key := func(s string, prefix int) Key { return KeyOf(netip.MustParseAddr(s).As16(), prefix, 0) }
	for _, c := range []struct {
		a, b   string
		prefix int
		same   bool
	}{
		{"2001:db8::1", "2001:db8::ffff:1", 64, true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", 64, false},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", 48, true},
		{"2001:db8::1", "2001:db8::2", 128, false},
		{"2001:db8::1", "2001:db8::2", 126, true},
		{"192.0.2.1", "192.0.2.2", 32, false},
		{"192.0.2.1", "::ffff:192.0.2.1", 32, true},
	} {
		if same := key(c.a, c.prefix) == key(c.b, c.prefix); same != c.same {
			t.Errorf("/%d: %s and %s are the same: %v", c.prefix, c.a, c.b, same)
		}
	}
}

func TestConnsAreCountedAndForgotten(t *testing.T) {
	c, random := NewConns(), rand.New(rand.NewPCG(1, 1))
	open := map[int]int{}
	for range 20_000 {
		i := random.IntN(100)
		if random.IntN(2) == 0 {
			if ok, want := c.Enter(four(i), 5), open[i] < 5; ok != want {
				t.Fatalf("the %d-th is let in: %v", open[i]+1, ok)
			} else if ok {
				open[i]++
			}
		} else if open[i] > 0 {
			c.Leave(four(i))
			open[i]--
		}
	}
	for i, n := range open {
		for range n {
			c.Leave(four(i))
		}
	}
	for i := range c.parts {
		if n := len(c.parts[i].open); n != 0 {
			t.Errorf("part %d holds %d sources that have no connection", i, n)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	table, conns, r, i := NewBuckets(MinSources), NewConns(), rate(10, time.Second, 10), 0
	if n := testing.AllocsPerRun(10_000, func() {
		i++
		table.Take(four(i), r, time.Duration(i))
		conns.Enter(four(i%10), 10)
		conns.Leave(four(i % 10))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	table, r := NewBuckets(DefaultSources), rate(1_000_000, time.Second, 1_000_000)
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			table.Take(four(i&0xfff), r, time.Duration(i))
		}
	})
}
