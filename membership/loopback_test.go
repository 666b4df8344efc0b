package membership_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/membership"
)

// real runs a member on loopback sockets.
func real(t *testing.T, name, bind string, seeds ...string) *membership.Cluster {
	t.Helper()
	return realWith(t, name, bind, func(*membership.Config) {}, seeds...)
}

// realWith is real with a changed Config.
func realWith(t *testing.T, name, bind string, change func(*membership.Config), seeds ...string) *membership.Cluster {
	t.Helper()
	cfg := membership.Config{
		Name: name, Bind: netip.MustParseAddrPort(bind), Seeds: seeds, Meta: metaOf(name, "127.0.0.1"),
		Keys: [][]byte{bytes.Repeat([]byte("k"), 32)}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	change(&cfg)
	c, err := membership.Open(cfg)
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
	t.Cleanup(func() {
		c.Close()
		cancel()
		wg.Wait()
	})
	return c
}

func gossipAddr(c *membership.Cluster) string {
	self := c.Self()
	return netip.AddrPortFrom(self.Addr, self.Port).String()
}

// eventually waits for as long as a busy machine may need.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

func view(c *membership.Cluster) string {
	var all []string
	for _, m := range c.Members() {
		all = append(all, fmt.Sprintf("%s:%v", m.Name, m.State))
	}
	return strings.Join(all, " ")
}

func TestOnRealSocketsMembersJoinTalkFailLeaveAndReturn(t *testing.T) {
	lb1 := real(t, "lb1", "127.0.0.1:0")
	lb2 := real(t, "lb2", "127.0.0.2:0", gossipAddr(lb1))
	s1 := real(t, "s1", "127.0.0.3:0", gossipAddr(lb1))
	s2 := real(t, "s2", "127.0.0.4:0", gossipAddr(lb2))
	all := "lb1:alive lb2:alive s1:alive s2:alive"
	for _, c := range []*membership.Cluster{lb1, lb2, s1, s2} {
		eventually(t, "everybody sees everybody", func() bool { return view(c) == all })
	}
	if err := lb1.Send(t.Context(), "s1", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if m := <-s1.Messages(); m.From != "lb1" || string(m.Payload) != "hello" {
		t.Errorf("got %q from %s", m.Payload, m.From)
	}
	at := gossipAddr(s1)
	s1.Close()
	if err := s2.Leave(t.Context()); err != nil {
		t.Errorf("leave: %v", err)
	}
	for _, c := range []*membership.Cluster{lb1, lb2} {
		eventually(t, "one failed and one left", func() bool { return view(c) == "lb1:alive lb2:alive s1:failed s2:left" })
	}
	real(t, "s1", at, gossipAddr(lb1))
	eventually(t, "the failed one is back", func() bool { return view(lb2) == "lb1:alive lb2:alive s1:alive s2:left" })
}

func TestAnIPv6AddressIsBoundWhenItIsAdvertised(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		testneed.Missing(t, "IPv6 (%v); sysctl -w net.ipv6.conf.lo.disable_ipv6=0", err)
	} else {
		l.Close()
	}
	open := func(name string, seeds ...string) *membership.Cluster {
		c, err := membership.Open(membership.Config{
			Name: name, AnyPort: true, Advertise: netip.IPv6Loopback(), Seeds: seeds, Meta: metaOf(name, "10.0.0.1"),
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	lb1 := open("lb1")
	s1 := open("s1", gossipAddr(lb1))
	if err := s1.Join(t.Context(), gossipAddr(lb1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both see both", func() bool { return view(lb1) == "lb1:alive s1:alive" && view(s1) == view(lb1) })
	if lb1.Self().Port == s1.Self().Port {
		t.Error("both have one port")
	}
}

func TestAPortThatIsTakenIsNamedWithARemedy(t *testing.T) {
	lb1 := real(t, "lb1", "127.0.0.1:0")
	_, err := membership.Open(membership.Config{
		Name: "lb2", Bind: netip.MustParseAddrPort(gossipAddr(lb1)), Meta: metaOf("lb2", "127.0.0.1"),
	})
	if !errors.Is(err, membership.ErrPortTaken) || !strings.Contains(err.Error(), "Docker Swarm") || !strings.Contains(err.Error(), gossipAddr(lb1)) {
		t.Errorf("got %v", err)
	}
}

func TestAllThatIsWrongWithAConfigIsSaidAtOnce(t *testing.T) {
	_, err := membership.Open(membership.Config{
		Name: "a b", Seeds: []string{"http://lb"}, Keys: [][]byte{[]byte("short")}, RejoinInterval: -1,
	})
	for _, want := range []string{`name "a b"`, `seed "http://lb"`, "gossip key 1 of 1 has 5 bytes", "rejoin interval"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
