package keeper

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
)

// aBatch tells of one connection to 192.0.2.80, port 80: of 192.0.2.7, port 1000.
var aBatch = []byte{1, 0, 0, 192, 0, 2, 80, 0, 80, 0, 1, 192, 0, 2, 7, 3, 232}

func someGroup() *group {
	g := &group{name: "vip", log: slog.New(slog.DiscardHandler), work: make(chan func(context.Context) event, workQueue)}
	g.clients = newClients(g, []netip.Addr{netip.MustParseAddr("192.0.2.80")})
	return g
}

// Clients are told after a crash, and only then; and once.
func TestOnlyClientsOfALostNodeAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		why  election.Reason
		boot uint64 // of lb2, as its adverts say
		want int
	}{
		"silence":           {election.Reason{Why: election.WhyActiveSilent, Node: "lb2"}, 2, 1},
		"another's silence": {election.Reason{Why: election.WhyActiveSilent, Node: "lb3"}, 2, 0},
		"a handover":        {election.Reason{Why: election.WhyHandover, Node: "lb2"}, 2, 0},
		"a yield":           {election.Reason{Why: election.WhyYielded, Node: "lb2"}, 2, 0},
		"a restart":         {election.Reason{Why: election.WhyYielded, Node: "lb2"}, 3, 1},
		"it never left":     {election.Reason{Why: election.WhyResumed, Node: "lb2"}, 2, 0},
	} {
		g := someGroup()
		l := &loop{groups: []*group{g}, boots: map[string]uint64{"lb2": tc.boot}}
		if err := l.heardBeside("lb2", 2, talk{group: "vip", clients: aBatch}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l.tookOver(g, tc.why)
		}
		for len(g.work) > 0 {
			(<-g.work)(t.Context())
		}
		told := 0
		for len(g.clients.gone) > 0 {
			told += len(<-g.clients.gone)
		}
		if told != tc.want {
			t.Errorf("%s: %d clients are told, want %d", name, told, tc.want)
		}
	}
}

func TestClientsOfAnEarlierLifeAreForgotten(t *testing.T) {
	c := someGroup().clients
	for boot, batch := range [][]byte{aBatch, handover.NoClients()} {
		if err := c.heard("lb2", uint64(boot+1), batch); err != nil {
			t.Fatal(err)
		}
		if got, want := c.state().Known, 1-boot; got != want {
			t.Errorf("%d known after life %d, want %d", got, boot+1, want)
		}
	}
	if err := c.heard("lb2", 2, []byte("nonsense")); err == nil {
		t.Error("nonsense was taken for a batch")
	}
}

// What a slow channel has no room for is lost and counted, and does not stand in the way of
// what the machines say.
func TestClientsNeverWaitForASlowPeer(t *testing.T) {
	c := &channel{up: map[netip.AddrPort]*line{}}
	l := &line{node: "lb2", boot: 2, out: make(chan []byte, talkQueue), bulk: make(chan []byte, talkBatches)}
	c.setConnected(netip.MustParseAddrPort("192.0.2.2:7947"), l)
	if now, ever := c.listeners(); now != 1 || ever != 1 {
		t.Errorf("%d listen, %d ever did", now, ever)
	}
	for i := range talkBatches + 3 {
		lost := c.spread(someClients())
		if want := i / talkBatches; (lost > 0) != (want > 0) {
			t.Errorf("message %d: lost for %d", i, lost)
		}
	}
	c.tell("lb2", 2, aTalk())
	if got, err := parseTalk(l.next(nil)); err != nil || got.message == nil {
		t.Errorf("first comes %+v, %v; want what the machine said", got, err)
	}
}

// A table that was for nothing, since this node did not take over, leaves nobody without an answer.
func TestOnlyAnActiveTellsTheClientsOfALostDrain(t *testing.T) {
	g := someGroup()
	m, err := election.New(election.Config{Group: "vip", Node: "lb1", Boot: 1, Priority: 100, Addr: netip.MustParseAddr("192.0.2.1")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.machine = m
	l := &loop{groups: []*group{g}, boots: map[string]uint64{"lb2": 3}}
	if l.lostLife(g, "lb2")(2) {
		t.Error("a node that is not active tells the clients of another")
	}
}
