package membership

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/memberlist"
)

// Bounds of what members ask each other to do.
const (
	orderTries   = 3               // times that one member is asked
	orderWait    = 2 * time.Second // for its answer, each time
	maxAsking    = 32              // members asked at once
	maxObeying   = 16              // orders carried out at once; what comes then is dropped, and asked again
	maxSeen      = 1024            // orders remembered, so that none is carried out twice
	maxOrderNote = 200             // bytes of what went wrong
)

// The kinds of order.
const (
	orderListKeys  = iota + 1 // no body
	orderAddKey               // the key
	orderUseKey               // a fingerprint
	orderRemoveKey            // a fingerprint
	orderEvent                // a user event
	orderAsk                  // a question, for the user of this package
)

// order is what one member asks one run of another to do. The run is named in it, and its number is remembered: who
// recorded it cannot have it carried out again, or by somebody else.
type order struct {
	id     uint64
	target string // wire name
	op     byte
	body   []byte
}

// encodeOrder returns the body of a frameOrder: the number (8 bytes, big endian), the target with its length (uvarint)
// in front, the kind, and what belongs to it.
func encodeOrder(o order) []byte {
	b := binary.BigEndian.AppendUint64(nil, o.id)
	b = append(binary.AppendUvarint(b, uint64(len(o.target))), o.target...)
	return append(append(b, o.op), o.body...)
}

func decodeOrder(b []byte) (order, error) {
	if len(b) < 8 {
		return order{}, errors.New("order ends within its number")
	}
	target, rest, ok := cutBytes(b[8:])
	if !ok || len(rest) == 0 || rest[0] < orderListKeys || rest[0] > orderAsk {
		return order{}, errors.New("order of an unknown kind")
	}
	return order{id: binary.BigEndian.Uint64(b), target: string(target), op: rest[0], body: rest[1:]}, nil
}

// report is the answer to an order.
type report struct {
	id   uint64
	note string // why it was not carried out; empty: it was
	body []byte
}

// encodeReport returns the body of a frameReport: the number, the note with its length (uvarint) in front, the body.
func encodeReport(r report) []byte {
	b := binary.BigEndian.AppendUint64(nil, r.id)
	note := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) { // as between joined errors
			return ' '
		}
		return c
	}, strings.ToValidUTF8(r.note[:min(len(r.note), maxOrderNote)], ""))
	b = append(binary.AppendUvarint(b, uint64(len(note))), note...)
	return append(b, r.body...)
}

func decodeReport(b []byte) (report, error) {
	if len(b) < 8 {
		return report{}, errors.New("report ends within its number")
	}
	note, body, ok := cutBytes(b[8:])
	if !ok || len(note) > maxOrderNote || !cleanText(string(note)) {
		return report{}, errors.New("report with a bad note")
	}
	return report{id: binary.BigEndian.Uint64(b), note: string(note), body: body}, nil
}

// orders are those of this node that wait for a report, and those of others that it has carried out.
type orders struct {
	mu      sync.Mutex // protects the following
	waiting map[uint64]waitingOrder
	seen    map[seenOrder]bool // true: it was carried out; false: it is under way
	oldest  []seenOrder        // those in seen, in the order of arrival
	obeying int
}

type waitingOrder struct {
	target string // the only one whose report counts
	report chan report
}

type seenOrder struct {
	from string
	id   uint64
}

func newOrders() *orders {
	return &orders{waiting: map[uint64]waitingOrder{}, seen: map[seenOrder]bool{}}
}

// admit reports whether an order may be carried out now, and whether it was before. done ends it.
func (o *orders) admit(s seenOrder) (ok, again bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	again, known := o.seen[s]
	if o.obeying >= maxObeying || known && !again {
		return false, false
	}
	o.obeying++
	o.seen[s] = again
	return true, again
}

// done ends an order; one that was carried out is remembered.
func (o *orders) done(s seenOrder, carriedOut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.obeying--
	switch {
	case o.seen[s]: // and was before
		return
	case !carriedOut:
		delete(o.seen, s)
		return
	}
	if len(o.oldest) >= maxSeen {
		delete(o.seen, o.oldest[0])
		o.oldest = o.oldest[1:]
	}
	o.seen[s] = true
	o.oldest = append(o.oldest, s)
}

// reported hands a report to whoever waits for it, and reports whether anybody does.
func (o *orders) reported(wire string, r report) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, ok := o.waiting[r.id]
	if !ok || w.target != wire {
		return false
	}
	delete(o.waiting, r.id)
	w.report <- r // there is room for one, and there is one
	return true
}

// target is a run to be asked.
type target struct {
	name string
	addr netip.AddrPort
	wire string
	node *memberlist.Node
}

// targets returns every run that is present but this one, those of one name too, sorted by name.
func (c *Cluster) targets() []target {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []target
	for _, r := range c.table.runs {
		if r.present() && r.wire != c.wire {
			name, _, _ := parseWireName(r.wire)
			all = append(all, target{name, r.addr, r.wire, r.node()})
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.name, b.name), a.addr.Compare(b.addr))
	})
	return all
}

// askAll gives one order to each target and calls with with what became of it, one call at a time.
func (c *Cluster) askAll(ctx context.Context, targets []target, op byte, body []byte, with func(i int, r report, err error)) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // held while with runs
		slots = make(chan struct{}, maxAsking)
	)
	for i, t := range targets {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r, err := c.askOne(ctx, t, op, body)
			if err == nil && r.note != "" {
				err = errors.New(r.note)
			}
			mu.Lock()
			defer mu.Unlock()
			with(i, r, err)
		})
	}
	wg.Wait()
}

// askOne gives t an order, up to orderTries times under one number, until it reports.
func (c *Cluster) askOne(ctx context.Context, t target, op byte, body []byte) (report, error) {
	w := waitingOrder{t.wire, make(chan report, 1)}
	id := rand.Uint64()
	c.orders.mu.Lock()
	c.orders.waiting[id] = w
	c.orders.mu.Unlock()
	defer func() {
		c.orders.mu.Lock()
		defer c.orders.mu.Unlock()
		delete(c.orders.waiting, id)
	}()
	frame := encodeFrame(frameOrder, c.wire, encodeOrder(order{id, t.wire, op, body}))
	failed := errors.New("no answer; is it of an older version?")
	for range orderTries {
		sent := make(chan error, 1)
		if !c.work(func() { sent <- c.ml.SendReliable(t.node, frame) }) {
			return report{}, ErrClosed
		}
		wait := time.NewTimer(orderWait)
		select {
		case r := <-w.report:
			wait.Stop()
			return r, nil
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return report{}, fmt.Errorf("no answer: %w", ctx.Err())
		}
		select {
		case err := <-sent:
			if err != nil {
				failed = fmt.Errorf("not reached: %w", err)
			}
		default:
			failed = errors.New("not reached: its host does not answer")
		}
	}
	return report{}, failed
}

// obey carries out what the run wire asks for in body, the body of a frameOrder, and reports. It does not block.
func (c *Cluster) obey(wire string, body []byte) {
	o, err := decodeOrder(body)
	if err != nil {
		c.count(&c.stats.BadMessages)
		return
	}
	o.body = slices.Clone(o.body) // body is memberlist's
	back, role := c.whoAsks(wire)
	if back == nil || o.target != c.wire {
		c.count(&c.stats.RefusedOrders)
		return
	}
	s := seenOrder{wire, o.id}
	ok, again := c.orders.admit(s)
	if !ok {
		c.count(&c.stats.RefusedOrders)
		return
	}
	name, _, _ := parseWireName(wire) // decodeFrame has checked it
	started := c.work(func() {
		r, err := c.execute(name, role, o, again)
		r.id = o.id
		if err != nil {
			r.note = err.Error()
		}
		c.orders.done(s, err == nil && o.op != orderAsk)                               // a question may be asked again
		_ = c.ml.SendReliable(back, encodeFrame(frameReport, c.wire, encodeReport(r))) // else it asks again
	})
	if !started {
		c.orders.done(s, false)
	}
}

// whoAsks returns the run wire, if it is present, and what it says it is.
func (c *Cluster) whoAsks(wire string) (*memberlist.Node, Role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.table.runs[wire]
	if r == nil || !r.present() || wire == c.wire {
		return nil, 0
	}
	return r.node(), r.said.meta.Role
}

// execute does what an order of the member from says; again means that it was done before.
func (c *Cluster) execute(from string, role Role, o order, again bool) (report, error) {
	if o.op == orderEvent {
		if again {
			return report{}, nil
		}
		return report{}, c.takeEvent(from, o.body)
	}
	if o.op == orderAsk {
		body, err := c.answer(from, o.body)
		return report{body: body}, err
	}
	if role != RoleBalancer {
		c.count(&c.stats.RefusedOrders)
		return report{}, errors.New("only a balancer gives orders about keys")
	}
	var err error
	if !again {
		err = c.changeRing(from, o.op, o.body)
	}
	return report{body: encodeHolding(c.ring.list())}, err
}
