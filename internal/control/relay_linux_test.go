package control

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
	"github.com/tandem-lb/tandem/membership/membershiptest"
)

// join runs a member in memory.
func join(t *testing.T, network *membershiptest.Network, addr string, meta membership.Meta, name string) *membership.Cluster {
	t.Helper()
	transport := network.Listen(addr)
	c, err := membership.Open(membership.Config{
		Name: name, Transport: transport, Exchange: transport.Exchange, Seeds: []string{"10.0.0.11"},
		Meta: meta, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	wg.Go(func() {
		for range c.Events() {
		}
	})
	t.Cleanup(func() { c.Close(); cancel(); wg.Wait() })
	return c
}

// keeperOf is the other end of a control process that relays: what it is sent, and how to speak to it.
func keeperOf(t *testing.T, c *membership.Cluster) (*ipc.Conn, <-chan ipc.Message) {
	t.Helper()
	fa, fb, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ipc.New(fa)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ipc.New(fb)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{
		log: slog.New(slog.DiscardHandler), keeper: theirs, cluster: c, queries: make(chan *ipc.RelayQuery, maxQueries),
	}
	got := make(chan ipc.Message, 64)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = ours.Run(ctx, func(m ipc.Message, _ []*os.File) { got <- m }) })
	wg.Go(func() { _ = theirs.Run(ctx, p.fromKeeper) })
	wg.Go(func() { _ = p.relay(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return ours, got
}

func TestAKeepersQueryGoesThroughThreeMembersAndTheAnswersComeBack(t *testing.T) {
	network := membershiptest.New(1)
	target := netip.MustParseAddrPort("10.0.0.12:7947")
	c := join(t, network, "10.0.0.11", membership.Meta{Role: membership.RoleBalancer}, "lb1")
	all := []*membership.Cluster{c, join(t, network, "10.0.0.12", membership.Meta{Role: membership.RoleBalancer, AdvertAddr: target}, "lb2")}
	for i, name := range []string{"s1", "s2", "s3"} {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(21 + i)}).String()
		all = append(all, join(t, network, addr, membership.Meta{Role: membership.RoleAgent, Apps: []membership.App{{Pool: "web"}}}, name))
	}
	for _, one := range all {
		for end := time.Now().Add(20 * time.Second); len(one.Members()) < len(all); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the members did not find each other within 20 s")
			}
		}
	}
	network.Partition([]string{"10.0.0.11"}, []string{"10.0.0.12"})
	network.Answer(target.String(), func(_ netip.Addr, datagram []byte) []byte {
		return append([]byte("answer to "), datagram...)
	})

	keeper, got := keeperOf(t, c)
	for _, q := range []*ipc.RelayQuery{
		{To: netip.MustParseAddrPort("10.0.0.21:22"), Datagram: []byte("not a balancer's")},
		{To: netip.AddrPort{}, Datagram: []byte("nowhere")},
		{To: target, Datagram: make([]byte, membership.MaxRelay+1)},
		{To: target, Datagram: []byte{0, 1, 0xff}},
	} {
		if err := keeper.Send(q); err != nil {
			t.Fatal(err)
		}
	}
	var from []string
	for range 3 {
		select {
		case m := <-got:
			a, ok := m.(*ipc.RelayAnswer)
			if !ok || a.To != target || string(a.Datagram) != "answer to \x00\x01\xff" {
				t.Fatalf("the keeper was sent %#v", m)
			}
			from = append(from, a.From)
		case <-time.After(20 * time.Second):
			t.Fatalf("within 20 s only %q have answered", from)
		}
	}
	slices.Sort(from)
	if names := strings.Join(from, " "); names != "s1 s2 s3" {
		t.Errorf("answers through %s", names)
	}
}

func TestQueriesThatCannotBePassedOnAreDropped(t *testing.T) {
	p := &Process{queries: make(chan *ipc.RelayQuery, maxQueries)} // nobody relays
	for range 2 * maxQueries {
		p.fromKeeper(&ipc.RelayQuery{}, nil)
	}
	if len(p.queries) != maxQueries {
		t.Errorf("%d wait, want %d", len(p.queries), maxQueries)
	}
}
