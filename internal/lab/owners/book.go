package owners

import (
	"slices"
	"sync"
	"time"
)

// Bounds of a Book: what is older is forgotten.
const (
	probesMax  = 1 << 15 // 2.7 minutes at one per 5 ms
	changesMax = 1 << 10 // per host
	answersMax = 8       // per request
)

// Window is a stretch of time, From included, To excluded, on the clock that
// also stamps the book.
type Window struct{ From, To time.Duration }

// A Report says what a window proved.
type Report struct {
	Max     int           // greatest number of owners at once; 0: nobody answered
	Hosts   []string      // everyone who owned it at some time, sorted
	Two     time.Duration // how long two or more owned it together
	None    time.Duration // longest stretch without any answered request
	Probes  int           // requests sent
	Doubled int           // requests answered by two or more owners
}

// Book keeps who answered and who had the address. Its times are monotonic,
// on one clock of the caller's. It may be used from any goroutine.
type Book struct {
	known map[string]bool // hosts whose kernel is asked

	mu      sync.Mutex // protects what follows
	probes  []probe    // oldest first
	first   int        // number of probes[0]
	address map[string][]change
}

type probe struct {
	sent    time.Duration
	answers []answer
}

type answer struct {
	host string
	at   time.Duration
}

type change struct {
	at  time.Duration
	has bool
}

// NewBook returns a book about these hosts, none of which has the address yet.
func NewBook(hosts ...string) *Book {
	b := &Book{known: map[string]bool{}, address: map[string][]change{}}
	for _, h := range hosts {
		b.known[h] = true
	}
	return b
}

// Sent notes a request that leaves at that time, and returns its number.
func (b *Book) Sent(at time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.probes) >= probesMax {
		drop := probesMax / 8
		b.probes = append(b.probes[:0], b.probes[drop:]...)
		b.first += drop
	}
	b.probes = append(b.probes, probe{sent: at})
	return b.first + len(b.probes) - 1
}

// Answer notes that a host answered the request of that number. A second answer
// of the same host to the same request is ignored.
func (b *Book) Answer(number int, host string, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := number - b.first
	if i < 0 || i >= len(b.probes) {
		return
	}
	p := &b.probes[i]
	again := slices.ContainsFunc(p.answers, func(a answer) bool { return a.host == host })
	if again || len(p.answers) >= answersMax {
		return
	}
	p.answers = append(p.answers, answer{host, at})
}

// Address notes that a host has the address from then on, or no longer.
func (b *Book) Address(host string, has bool, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.address[host]
	if n := len(list); n > 0 && list[n-1].has == has {
		return
	}
	if len(list) >= changesMax {
		list = append(list[:0], list[changesMax/8:]...)
	}
	b.address[host] = append(list, change{at, has})
}

// Has reports whether a host has the address now, as far as its kernel told.
func (b *Book) Has(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.address[host]
	return len(list) > 0 && list[len(list)-1].has
}

// Report sums up a window.
func (b *Book) Report(w Window) Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	probes := b.within(w)
	r := Report{Probes: len(probes)}
	seen := map[string]bool{}
	last := w.From
	for _, p := range probes {
		n := 0
		for _, a := range p.answers {
			if b.owning(p, a) {
				n++
				seen[a.host] = true
			}
		}
		if n == 0 {
			continue
		}
		if n > 1 {
			r.Doubled++
		}
		r.None = max(r.None, p.sent-last)
		last = p.sent
	}
	r.None = max(r.None, w.To-last)
	for h := range seen {
		r.Hosts = append(r.Hosts, h)
	}
	slices.Sort(r.Hosts)
	r.Max, r.Two = overlap(b.runs(probes))
	if r.Max == 0 && len(seen) > 0 {
		r.Max = 1 // seen to own it, if never twice running
	}
	return r
}

// Sole returns the one host that answered at least half of the window's
// requests, if no other owner answered any of them.
func (b *Book) Sole(w Window) (host string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	probes := b.within(w)
	count := map[string]int{}
	for _, p := range probes {
		for _, a := range p.answers {
			if b.owning(p, a) {
				count[a.host]++
			}
		}
	}
	if len(count) != 1 {
		return "", false
	}
	for h, n := range count {
		host, ok = h, 2*n >= len(probes)
	}
	return host, ok
}

// Owned reports whether a host answered as an owner any request that was sent in w, and
// whether one was sent at all.
func (b *Book) Owned(host string, w Window) (owner, asked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	probes := b.within(w)
	for _, p := range probes {
		for _, a := range p.answers {
			owner = owner || a.host == host && b.owning(p, a)
		}
	}
	return owner, len(probes) > 0
}

// within returns the requests sent in w.
func (b *Book) within(w Window) []probe {
	at := func(t time.Duration) int {
		i, _ := slices.BinarySearchFunc(b.probes, t, func(p probe, t time.Duration) int { return int(p.sent - t) })
		return i
	}
	return b.probes[at(w.From):max(at(w.From), at(w.To))]
}

// owning tells whether the answer's host had the address at some time between
// the request and the answer.
func (b *Book) owning(p probe, a answer) bool {
	if !b.known[a.host] {
		return true
	}
	has := false
	for _, c := range b.address[a.host] {
		if c.at > a.at {
			break
		}
		if has && c.at > p.sent {
			return true
		}
		has = c.has
	}
	return has
}
