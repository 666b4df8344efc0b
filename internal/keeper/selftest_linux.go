package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// Whether a peer can forward to this node depends on what is between the two, so it is tried:
// a probe goes to the peer, which sends it back as it would send on a client's packet (§9).
// That is done when a peer introduces itself, which it does on each new state channel, when
// the interface has its carrier back, and every few minutes. Until the first result nothing
// is held against the peer: a handover right after a start must not break connections for
// want of a test. Where it says no, a handover releases the VIPs first.

const (
	testEvery = 3 * time.Minute
	testLook  = 250 * time.Millisecond // how soon a new peer is seen
	testAgain = time.Second            // after a failure
	// testTries in a row have to fail, since a busy machine fails one now and then.
	testTries = 3
	// testQueue bounds the peers' questions that wait; each takes a second at most.
	testQueue = 8
)

// probeTalk is a question of a self-test, or the answer to one.
type probeTalk struct {
	nonce   uint64
	request *handover.ProbeRequest // or
	reply   *handover.ProbeReply   // or
	failed  string                 // why there is no reply
}

// testTarget is a peer, as a self-test knows it.
type testTarget struct {
	addrs  []netip.Addr
	due    time.Time
	fails  int
	result *ipc.SelfTest // nil: there is none yet
}

// tester does one group's self-tests, and its part in those of its peers.
type tester struct {
	g   *group
	own []netip.Addr // of each family that a VIP is of, one

	asked chan askedBack // by peers

	mu      sync.Mutex // protects what follows
	targets map[peerKey]*testTarget
	waits   map[uint64]chan probeTalk // for answers, by nonce
}

// askedBack is a question of a peer.
type askedBack struct {
	from peerKey
	probeTalk
}

// tested is an event: how a self-test ended.
type tested struct {
	g    *group
	node string
	why  string // "": nothing would be lost
}

func newTester(g *group, vips []netip.Addr) *tester {
	t := &tester{
		g: g, asked: make(chan askedBack, testQueue), targets: make(map[peerKey]*testTarget), waits: make(map[uint64]chan probeTalk),
	}
	for _, four := range []bool{true, false} {
		ofFamily := func(a netip.Addr) bool { return a.Unmap().Is4() == four }
		if !slices.ContainsFunc(vips, ofFamily) {
			continue
		}
		for _, p := range g.ifi.Own {
			if a := p.Addr(); ofFamily(a) && !a.IsLinkLocalUnicast() && !slices.Contains(vips, a) {
				t.own = append(t.own, a)
				break
			}
		}
	}
	return t
}

// meet notes a peer that has said where it is, in place of its earlier lives.
func (t *tester) meet(peer peerKey, w *where) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.targets[peer]
	for key := range t.targets {
		if key.node == peer.node {
			delete(t.targets, key)
		}
	}
	if len(t.targets) >= maxPeers {
		return
	}
	t.targets[peer] = &testTarget{addrs: t.g.forward.near(w.addrs)}
	if old != nil {
		t.targets[peer].result = old.result
	}
}

// anew has all peers tested again: the network may be another.
func (t *tester) anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, target := range t.targets {
		target.due = time.Time{}
	}
}

// results are the latest, by node.
func (t *tester) results() (all []ipc.SelfTest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, target := range t.targets {
		if target.result != nil {
			all = append(all, *target.result)
		}
	}
	slices.SortFunc(all, func(a, b ipc.SelfTest) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}

// run tests whoever is due, until ctx ends.
func (t *tester) run(ctx context.Context, ch *channel, emit func(event)) error {
	tick := time.NewTicker(testLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if peer, target := t.next(time.Now(), ch); target != nil {
			t.test(ctx, ch, peer, target, emit)
		}
	}
}

// next returns a peer whose test is due, nil for none.
func (t *tester) next(now time.Time, ch *channel) (peerKey, *testTarget) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for peer, target := range t.targets {
		if !target.due.After(now) && ch.stands(peer.node, peer.boot) {
			return peer, target
		}
	}
	return peerKey{}, nil
}

func (t *tester) test(ctx context.Context, ch *channel, peer peerKey, target *testTarget, emit func(event)) {
	cfg := handover.LosslessConfig{Device: t.g.ifi.Name, Own: t.own, Peers: target.addrs}
	report := handover.Lossless(ctx, cfg, func(ctx context.Context, req handover.ProbeRequest) (handover.ProbeReply, error) {
		return t.ask(ctx, ch, peer, req)
	})
	if ctx.Err() != nil || !ch.stands(peer.node, peer.boot) {
		return // whoever has gone says nothing about what is between
	}
	now, why := time.Now(), strings.Join(report.Why, "; ")
	t.mu.Lock()
	was := target.result
	target.fails++
	if why == "" {
		target.fails = 0
	}
	certain := target.fails == 0 || target.fails >= testTries
	target.due = now.Add(testAgain)
	if certain {
		target.due = now.Add(testEvery)
		target.result = &ipc.SelfTest{Peer: peer.node, Lossless: why == "", Why: why, At: now}
	}
	t.mu.Unlock()
	switch {
	case !certain:
		t.g.log.Debug("a self-test of the handover has failed; it is tried again", "peer", peer.node, "err", report.Err())
		return
	case was == nil || was.Why != why:
		t.g.log.Info("self-test of the handover", "peer", peer.node, "lossless", why == "", "reason", why, "rtt", report.RTT)
	}
	emit(tested{t.g, peer.node, why})
}

// ask has a peer send probes back.
func (t *tester) ask(ctx context.Context, ch *channel, peer peerKey, req handover.ProbeRequest) (handover.ProbeReply, error) {
	nonce, answer := rand.Uint64()|1, make(chan probeTalk, 1)
	t.mu.Lock()
	t.waits[nonce] = answer
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waits, nonce)
	}()
	ch.tell(peer.node, peer.boot, talk{group: t.g.name, probe: &probeTalk{nonce: nonce, request: &req}})
	select {
	case <-ctx.Done():
		return handover.ProbeReply{}, fmt.Errorf("no answer of %s: %w", peer.node, ctx.Err())
	case a := <-answer:
		if a.reply == nil {
			return handover.ProbeReply{}, errors.New(a.failed)
		}
		return *a.reply, nil
	}
}

// heard takes in a question or an answer. It may be called from any goroutine and never blocks.
func (t *tester) heard(from peerKey, p probeTalk) {
	if p.request != nil {
		select {
		case t.asked <- askedBack{from, p}:
		default: // it asks again
		}
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if answer := t.waits[p.nonce]; answer != nil {
		delete(t.waits, p.nonce)
		answer <- p
	}
}

// reflect does this node's part in the tests of its peers, one after the other, until ctx ends.
func (t *tester) reflect(ctx context.Context, ch *channel) error {
	var own []netip.Addr
	for _, p := range t.g.ifi.Own {
		own = append(own, p.Addr())
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-t.asked:
			answer := &probeTalk{nonce: q.nonce}
			reply, err := handover.Reflect(ctx, t.g.ifi.Name, own, *q.request)
			if answer.reply = &reply; err != nil {
				answer.reply, answer.failed = nil, err.Error()
				answer.failed = answer.failed[:min(len(answer.failed), election.MaxText)]
			}
			ch.tell(q.from.node, q.from.boot, talk{group: t.g.name, probe: answer})
		}
	}
}
