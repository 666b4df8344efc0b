package keeper

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/handover"
)

func someTester() *tester {
	g := someGroup()
	g.forward = &forwarder{own: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}
	return newTester(g, nil)
}

// speaking returns a channel on which what is said to lb2, boot 2, can be read.
func speaking() (*channel, *line) {
	c := &channel{up: map[netip.AddrPort]*line{}}
	l := &line{node: "lb2", boot: 2, out: make(chan []byte, talkQueue), bulk: make(chan []byte, talkBatches)}
	c.setConnected(netip.MustParseAddrPort("192.0.2.2:7947"), l)
	return c, l
}

func TestASelfTestTakesItsOwnAnswerOnly(t *testing.T) {
	ts, lb2 := someTester(), peerKey{"lb2", 2}
	ch, l := speaking()
	go func() {
		q, err := parseTalk(<-l.out)
		if err != nil || q.probe == nil || q.probe.request == nil {
			return
		}
		ts.heard(lb2, probeTalk{nonce: q.probe.nonce + 2, failed: "another's"})
		ts.heard(lb2, probeTalk{nonce: q.probe.nonce, reply: &handover.ProbeReply{Forwarded: 5}})
		ts.heard(lb2, probeTalk{nonce: q.probe.nonce, failed: "twice"})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if reply, err := ts.ask(ctx, ch, lb2, *aProbe(1).probe.request); err != nil || reply.Forwarded != 5 {
		t.Errorf("%+v, %v; want the answer to the question", reply, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ts.ask(done, ch, lb2, *aProbe(1).probe.request); !errors.Is(err, context.Canceled) {
		t.Errorf("a test that is not answered ended with %v", err)
	}
	if len(ts.waits) != 0 {
		t.Errorf("%d tests still wait", len(ts.waits))
	}
}

func TestQuestionsOfSelfTestsAreBounded(t *testing.T) {
	ts := someTester()
	for range testQueue + 3 {
		ts.heard(peerKey{"lb2", 2}, *aProbe(1).probe)
	}
	if len(ts.asked) != testQueue {
		t.Errorf("%d questions wait, want %d", len(ts.asked), testQueue)
	}
}

// One life of a peer is tested, when it can be spoken with and the last test is old.
func TestEachPeerIsTestedInItsTurn(t *testing.T) {
	ts, w := someTester(), &where{addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}
	ch, _ := speaking()
	ts.meet(peerKey{"lb2", 1}, w)
	if _, target := ts.next(time.Now(), ch); target != nil {
		t.Error("a life with which no channel stands is tested")
	}
	ts.meet(peerKey{"lb2", 2}, w)
	peer, target := ts.next(time.Now(), ch)
	if target == nil || peer.boot != 2 || len(ts.targets) != 1 || len(target.addrs) != 1 {
		t.Fatalf("%+v %+v of %d", peer, target, len(ts.targets))
	}
	target.due = time.Now().Add(testEvery)
	if _, target := ts.next(time.Now(), ch); target != nil {
		t.Error("it is tested again too early")
	}
	ts.anew()
	if _, target := ts.next(time.Now(), ch); target == nil {
		t.Error("it is not tested again after the link was down")
	}
	for i := range maxPeers + 5 {
		ts.meet(peerKey{string(rune('a' + i)), 1}, w)
	}
	if len(ts.targets) > maxPeers {
		t.Errorf("%d peers, want %d at most", len(ts.targets), maxPeers)
	}
}
