package membership

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// MaxRelay is the largest datagram that members carry for each other, in bytes, there and back: with the longest name,
// an IPv6 address and encryption around it, it fits into one Ethernet frame.
const MaxRelay = 1200

// MaxRelayFanout is how many members are asked at most at a time.
const MaxRelayFanout = 8

// Bounds of what this node asks for.
const (
	answerTime   = carryTime + 100*time.Millisecond // so long answers are waited for
	maxQuestions = 512                              // of them at once; a query round every 2.5 ms needs 240
	maxGood      = 64                               // targets of which it is remembered who reached them last
)

// Errors of Relay.
var (
	ErrNoRelay   = errors.New("membership: there is no other member that could carry a datagram")
	ErrRelayBusy = errors.New("membership: too many relayed datagrams wait for their answers")
)

// RelayAnswer is what one member has brought back.
type RelayAnswer struct {
	Via      string // the member that carried it, by Name
	Datagram []byte // 1 to MaxRelay bytes, the receiver's own
}

// Relay asks up to fanout members (1 to MaxRelayFanout) to send datagram (1 to MaxRelay bytes) by UDP to the balancer
// whose Meta.AdvertAddr is to, and to bring one answer back: SWIM's indirect probe, for when the direct path is
// broken. They do so only for the AdvertAddr of a balancer that they hold for present themselves, and wait 500 ms for
// the answer. What the datagram says is nothing to them; who needs to know that it is genuine must see that from the
// datagram itself, as any member may answer anything.
//
// The member that brought the last answer from there is asked first; the others are drawn anew each time: members that
// answer probes before suspected ones, and among them agents before balancers, which tend to share the switch, and so
// the fault, with this node and its peer. Agents on this node's host or the target's share that fault for sure; they
// are asked last, and the target itself never.
//
// Relay never blocks: all goes by UDP, once, and what is lost is lost. answered is called with each answer that comes
// within 600 ms, at most once per member asked, from a goroutine of memberlist's: it must not block either. It needs
// no Run; a last call may still be under way when Close returns. The error is one of ErrNoRelay, ErrRelayBusy,
// ErrPayloadTooLarge, ErrClosed, says that an argument is out of bounds, or why nothing could be sent.
func (c *Cluster) Relay(to netip.AddrPort, datagram []byte, fanout int, answered func(RelayAnswer)) error {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	switch {
	case !reachable(to):
		return fmt.Errorf("membership: %v is not an address and port that others could relay to", to)
	case len(datagram) > MaxRelay:
		return fmt.Errorf("%w: %d bytes where %d can be relayed", ErrPayloadTooLarge, len(datagram), MaxRelay)
	case len(datagram) == 0 || fanout < 1 || fanout > MaxRelayFanout:
		return fmt.Errorf("membership: cannot relay %d bytes through %d members; 1 to %d members carry at least one byte",
			len(datagram), fanout, MaxRelayFanout)
	}
	select {
	case <-c.left:
		return ErrClosed
	default:
	}
	carriers := c.carriers(to, fanout, c.questions.lastGood(to))
	if len(carriers) == 0 {
		return ErrNoRelay
	}
	id, err := c.questions.ask(to, carriers, answered)
	if err != nil {
		return err
	}
	frame := encodeFrame(frameRelay, c.wire, encodeRelay(id, to, datagram))
	var errs []error
	for _, n := range carriers {
		if err := c.ml.SendBestEffort(n, frame); err != nil {
			errs = append(errs, fmt.Errorf("membership: cannot ask %s to relay: %w", n.Address(), err))
		}
	}
	if len(errs) == len(carriers) {
		c.questions.forget(id)
		return errors.Join(errs...)
	}
	return nil
}

// carriers draws up to n members to carry something to to.
func (c *Cluster) carriers(to netip.AddrPort, n int, good string) []*memberlist.Node {
	type candidate struct {
		run  *run
		cost int
	}
	var all []candidate
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.table.entries {
		m := e.shown
		if m.Self || !m.State.Present() || m.Meta.AdvertAddr == to {
			continue
		}
		cost := 0
		if m.Addr == c.addr.Addr() || m.Addr == to.Addr() {
			cost += 4
		}
		if m.State == StateSuspect {
			cost += 2
		}
		if m.Meta.Role == RoleBalancer {
			cost++
		}
		if e.current.wire == good {
			cost = -1
		}
		all = append(all, candidate{e.current, cost})
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	var chosen []*memberlist.Node
	for _, cand := range all[:min(n, len(all))] {
		chosen = append(chosen, cand.run.node())
	}
	return chosen
}

// questions are the datagrams that others carry for this node, until they are answered or too old.
type questions struct {
	mu      sync.Mutex // protects the following; nothing is called with it held
	waiting map[uint64]*question
	good    map[netip.AddrPort]string // wire name of the member that brought the last answer from there
	closed  bool
}

type question struct {
	to       netip.AddrPort
	carriers map[string]bool // wire names of those that have not answered
	answered func(RelayAnswer)
	expiry   *time.Timer
}

func newQuestions() *questions {
	return &questions{waiting: map[uint64]*question{}, good: map[netip.AddrPort]string{}}
}

func (q *questions) lastGood(to netip.AddrPort) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.good[to]
}

// ask opens a question. Its number is random, so that only those who were asked can answer it.
func (q *questions) ask(to netip.AddrPort, carriers []*memberlist.Node, answered func(RelayAnswer)) (uint64, error) {
	one := &question{to: to, carriers: make(map[string]bool, len(carriers)), answered: answered}
	for _, n := range carriers {
		one.carriers[n.Name] = true
	}
	id := rand.Uint64()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, ErrClosed
	}
	if len(q.waiting) >= maxQuestions || q.waiting[id] != nil {
		return 0, ErrRelayBusy
	}
	q.waiting[id] = one
	one.expiry = time.AfterFunc(answerTime, func() { q.forget(id) })
	return id, nil
}

// forget closes a question, if it is open.
func (q *questions) forget(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one := q.waiting[id]; one != nil {
		one.expiry.Stop()
		delete(q.waiting, id)
	}
}

// answer passes on what the member wire has brought, and reports whether it was asked for that.
func (q *questions) answer(wire string, id uint64, datagram []byte) bool {
	q.mu.Lock()
	one := q.waiting[id]
	if one == nil || !one.carriers[wire] {
		q.mu.Unlock()
		return false
	}
	delete(one.carriers, wire)
	if len(one.carriers) == 0 {
		one.expiry.Stop()
		delete(q.waiting, id)
	}
	if len(q.good) >= maxGood {
		clear(q.good)
	}
	q.good[one.to] = wire
	q.mu.Unlock()
	name, _, _ := parseWireName(wire) // decodeFrame has checked it
	one.answered(RelayAnswer{Via: name, Datagram: slices.Clone(datagram)})
	return true
}

// close closes all questions, for good.
func (q *questions) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, one := range q.waiting {
		one.expiry.Stop()
	}
	clear(q.waiting)
}
