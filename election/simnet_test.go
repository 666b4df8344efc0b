package election

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// world is a cluster in virtual time: everything that happens is an event in one queue, and everything that
// is left to chance comes from one seeded source. So a seed is a schedule.
type world struct {
	rng    *rand.Rand
	now    time.Time
	queue  eventQueue
	serial int // orders events of one instant

	interval time.Duration // everybody's advert interval
	maxDelay time.Duration // of a datagram that is not late
	maxTick  time.Duration // how late a shell wakes up
	maxWork  time.Duration // of a Probe, Claim or Release
	newFor   time.Duration // Config.NewFor of all

	nodes []*simNode
	links [maxNodes][maxNodes]link // from, to: where adverts and direct queries go
	wire  [maxNodes][maxNodes]bool // from, to: the VIP's segment is cut
	away  [maxNodes]bool           // the members that relay are cut off
	relay bool                     // there are such members

	groups   int         // on each node
	preempt  bool        // of all
	stations []*station  // on the segment, the first a client; none in a world of bare balancers
	squatter *squatter   // nil in most worlds
	loss     float64     // of a datagram
	late     float64     // of a datagram: it arrives after up to lateDelay, reordered or on its own
	dup      float64     // of a datagram
	lose     func() bool // whether the next datagram is lost; nil: chance decides

	// maxLost bounds how many datagrams in a row a link loses. Beyond lies a cut, which is a fault of its
	// own; within, no takeover may happen and every bound holds.
	maxLost int

	unable    float64                       // how often a node cannot be lossless
	swallow   float64                       // how often a message is lost on a channel
	losesTell func(*simGroup, Message) bool // nil: chance decides

	quiet bool // no more faults: who ends is started again

	inv   invariants
	trace func(format string, args ...any) // nil: nobody looks
	err   error                            // the first invariant broken
}

// lateIntervals bounds the delay of a late datagram, in advert intervals.
const lateIntervals = 12

const (
	maxNodes  = 5
	maxGroups = 2
)

var epochStart = time.Unix(1_000_000, 0)

// newWorld returns a world without nodes, on a perfect network.
func newWorld(seed uint64, interval time.Duration) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 0)), now: epochStart, interval: interval,
		maxLost: 2, groups: 1,
	}
}

// link is one direction between two nodes.
type link struct {
	cut  bool
	lost int // datagrams lost in a row
}

func (w *world) link(from, to int) *link { return &w.links[from][to] }

// passes: adverts get from one node to the other.
func (w *world) passes(from, to int) bool {
	return !w.link(from, to).cut && !w.nodes[from].dumb && !w.nodes[to].deaf
}

// connected: datagrams pass both ways.
func (w *world) connected(a, b int) bool { return w.passes(a, b) && w.passes(b, a) }

// transmit sends one advert from one node to all others.
func (w *world) transmit(from int, datagram []byte) {
	p := &packet{datagram: datagram, path: PathDirect, from: from}
	for to := range w.nodes {
		if to != from {
			w.unicast(to, p)
		}
	}
}

// unicast sends one datagram straight from node to node.
func (w *world) unicast(to int, p *packet) {
	l := w.link(p.from, to)
	if !w.passes(p.from, to) || w.lose != nil && w.lose() {
		return
	}
	lost, late := w.chance(w.loss), w.chance(w.late)
	if (lost || late) && l.lost < w.maxLost {
		l.lost++
		if late {
			w.deliver(to, p, w.upTo(lateIntervals*w.interval))
		}
		return
	}
	l.lost = 0
	w.deliver(to, p, w.upTo(w.maxDelay))
	if w.chance(w.dup) {
		w.deliver(to, p, w.upTo(lateIntervals*w.interval))
	}
}

func (w *world) deliver(to int, p *packet, delay time.Duration) {
	w.after(delay, func() {
		if w.passes(p.from, to) {
			w.nodes[to].receive(p)
		}
	})
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// upTo returns a duration from 0 up to d.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

// after puts f into the queue.
func (w *world) after(d time.Duration, f func()) {
	w.serial++
	w.queue.push(event{w.now.Add(d), w.serial, f})
}

// run lets the time up to end pass, checking the invariants after every event.
func (w *world) run(end time.Time) {
	for w.err == nil && len(w.queue) > 0 && !w.queue[0].at.After(end) {
		e := w.queue.pop()
		w.now = e.at
		e.do()
		w.inv.check(w)
	}
	w.now = end
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %v: %s", w.now.Sub(epochStart), fmt.Sprintf(format, args...))
	}
}

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace("%10v  %s", w.now.Sub(epochStart), fmt.Sprintf(format, args...))
	}
}
