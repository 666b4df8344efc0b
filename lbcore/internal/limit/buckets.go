package limit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Bounds of the sources that a Buckets remembers.
const (
	MinSources     = 1 << 10
	DefaultSources = 1 << 16
	MaxSources     = 1 << 22
)

// ways is how many sources share a lock, and a place when there is no room.
const ways = 8

// Buckets holds the token buckets of sources, a bounded number of them: 32 bytes for each.
//
// A source whose bucket is full needs no entry, so that one is free again as soon as all of
// the burst is back. When a new source finds its place full of others, the one of these is
// forgotten whose bucket is the fullest. So a flood of addresses, each of which has asked a
// little, pushes out its own kind and not those that have used up their bucket; and a source
// that was forgotten is let in as a new one. A table that is too small makes a limit looser,
// never stricter: nobody can have others refused.
type Buckets struct {
	seed maphash.Seed
	sets []set // a power of two
}

type set struct {
	mu      sync.Mutex
	entries [ways]entry
}

// entry is free once full has passed; the zero value is.
type entry struct {
	key  Key
	full time.Duration // when all of the burst is back
}

// NewBuckets makes room for n sources, MinSources to MaxSources, rounded up to a power of two.
// Hashing does not spread them quite evenly: some places are full when the table is half full.
func NewBuckets(n int) *Buckets {
	sets := 1
	for sets*ways < n {
		sets *= 2
	}
	return &Buckets{seed: maphash.MakeSeed(), sets: make([]set, sets)}
}

// Take lets the source k do one thing under rate r, at the time now, which is since any moment
// that is the same for all callers. wait, if not 0, is how long it may not.
func (b *Buckets) Take(k Key, r Rate, now time.Duration) (wait time.Duration) {
	s := &b.sets[k.hash(b.seed)&uint64(len(b.sets)-1)]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(k)
	if e.key != k {
		*e = entry{key: k}
	}
	e.full, wait = r.take(e.full, now)
	return wait
}

// find returns the entry of k, or the one that becomes its own: that of the fullest bucket,
// which is a free one if there is any.
func (s *set) find(k Key) *entry {
	least := &s.entries[0]
	for i := range s.entries {
		e := &s.entries[i]
		if e.key == k {
			return e
		}
		if e.full < least.full {
			least = e
		}
	}
	return least
}
