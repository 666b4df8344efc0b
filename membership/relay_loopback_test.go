package membership_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

// On real sockets: an agent carries to a keeper that echoes. The log tells how long one round takes.
func TestOnRealSocketsADatagramGoesThereAndBackThroughAnAgent(t *testing.T) {
	keeper, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { keeper.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 2048)
		for {
			n, from, err := keeper.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			keeper.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	to := keeper.LocalAddr().(*net.UDPAddr).AddrPort()

	lb1 := real(t, "lb1", "127.0.0.1:0")
	lb2 := real(t, "lb2", "127.0.0.2:0", gossipAddr(lb1))
	s1 := real(t, "s1", "127.0.0.3:0", gossipAddr(lb1))
	if err := lb2.SetMeta(t.Context(), membership.Meta{Role: membership.RoleBalancer, AdvertAddr: to}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*membership.Cluster{lb1, s1} {
		eventually(t, "lb2's keeper is known", func() bool { return knowsAdverts(c, to) })
	}
	answers := make(chan membership.RelayAnswer, 16)
	var rounds []time.Duration
	lost := 0 // on a busy machine
	for len(rounds) < 200 {
		begun := time.Now()
		if err := lb1.Relay(to, make([]byte, membership.MaxRelay), 3, func(a membership.RelayAnswer) { answers <- a }); err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-answers:
			if a.Via != "s1" || len(a.Datagram) != membership.MaxRelay {
				t.Fatalf("%d bytes came through %s", len(a.Datagram), a.Via)
			}
			rounds = append(rounds, time.Since(begun))
		case <-time.After(time.Second):
			if lost++; lost > 20 {
				t.Fatalf("no answer; s1: %+v", s1.Stats())
			}
		}
		time.Sleep(2500 * time.Microsecond) // the pace of query rounds at the fastest advert interval
	}
	slices.Sort(rounds)
	t.Logf("there and back, encrypted, %d bytes: median %v, 99 of 100 within %v, worst %v, %d lost",
		membership.MaxRelay, rounds[100], rounds[198], rounds[199], lost)
}

func knowsAdverts(c *membership.Cluster, to netip.AddrPort) bool {
	return slices.ContainsFunc(c.Members(), func(m membership.Member) bool { return m.Meta.AdvertAddr == to })
}
