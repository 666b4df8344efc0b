package nft_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/nft"
)

// addressAndPort is where a UDP datagram over IPv4 has its destination.
var addressAndPort = []nft.Load{
	{Base: nft.NetworkHeader, Offset: 16, Len: 4},
	{Base: nft.TransportHeader, Offset: 2, Len: 2},
}

// dropKnown drops what is sent to an address and port in the set, and counts it.
func dropKnown(s nft.KeySet) *nft.Batch {
	b := new(nft.Batch)
	b.Table(nft.Netdev, "tandem_test", 0)
	b.KeySet(nft.Netdev, "tandem_test", s)
	b.SubChain(nft.Netdev, "tandem_test", "known")
	b.Rule(nft.Netdev, "tandem_test", "known", nft.Count, nft.Drop)
	b.Chain(nft.Netdev, "tandem_test", nft.Chain{Name: "in", Hook: nft.HookIngress, Device: "lo"})
	b.Rule(nft.Netdev, "tandem_test", "in", nft.Protocol(unix.IPPROTO_UDP), nft.In(s.Name, addressAndPort...), nft.Goto("known"))
	b.Rule(nft.Netdev, "tandem_test", "in", nft.Protocol(unix.IPPROTO_UDP), nft.AddTo(s.Name, addressAndPort...))
	return b
}

func discardKey(port byte) []byte { return nft.Key([]byte{127, 0, 0, 1}, []byte{0, port}) }

func TestASetIsFilledByHandAndByPackets(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		set := nft.KeySet{Name: "known", Key: []nft.Field{nft.IPv4Addr, nft.Service}, Timeout: time.Minute, Size: 2}
		if err := c.Commit(dropKnown(set)); err != nil {
			t.Fatal(err)
		}
		if !passes(t) {
			t.Fatal("dropped by an empty set")
		}
		if passes(t) {
			t.Error("the first datagram has not added its key")
		}
		add := func(ports ...byte) error {
			var keys [][]byte
			for _, p := range ports {
				keys = append(keys, discardKey(p))
			}
			b := new(nft.Batch)
			b.Elements(nft.Netdev, "tandem_test", "known", keys)
			return c.Commit(b)
		}
		if err := add(9, 10); err != nil {
			t.Errorf("a key that is there, and one that is not: %v", err)
		}
		if err := add(11); err == nil {
			t.Error("a full set has taken another key")
		}
		got, err := c.Counters(nft.Netdev, "tandem_test")
		const datagram = 20 + 8 + 1
		if err != nil || got["known"] != (nft.Counter{Packets: 1, Bytes: datagram}) || got["in"] != (nft.Counter{}) {
			t.Errorf("%+v (%v); want one packet in chain known", got, err)
		}
		if err := c.Remove(nft.Netdev, "tandem_test"); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(dropKnown(set)); err != nil {
			t.Fatal(err)
		}
		if err := add(9); err != nil {
			t.Fatal(err)
		}
		if passes(t) {
			t.Error("a key added by hand is not that of a packet")
		}
	})
}

func TestAKeyGoesWhenItsTimeIsUp(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		if err := c.Commit(dropKnown(nft.KeySet{Name: "known", Key: []nft.Field{nft.IPv4Addr, nft.Service}, Timeout: 300 * time.Millisecond})); err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{false, true} { // learnt, and forgotten
			for end := time.Now().Add(10 * time.Second); passes(t) != want; {
				if time.Now().After(end) {
					t.Fatalf("a datagram passes: %v, and so for 10 s", !want)
				}
			}
		}
	})
}

func TestTooManyKeysAreRefused(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		set := nft.KeySet{Name: "known", Key: []nft.Field{nft.IPv6Addr, nft.Service, nft.IPv6Addr, nft.Service}}
		b := new(nft.Batch)
		b.Table(nft.Netdev, "tandem_test", 0)
		b.KeySet(nft.Netdev, "tandem_test", set)
		keys := make([][]byte, nft.MaxElements)
		for i := range keys {
			addr := netip.AddrFrom16([16]byte{14: byte(i >> 8), 15: byte(i)}).AsSlice()
			keys[i] = nft.Key(addr, []byte{0, 1}, addr, []byte{0, 2})
		}
		b.Elements(nft.Netdev, "tandem_test", "known", keys)
		if err := c.Commit(b); err != nil {
			t.Errorf("as many of the longest keys as may be: %v", err)
		}
		b = new(nft.Batch)
		b.Elements(nft.Netdev, "tandem_test", "known", append(keys, keys[0]))
		if err := c.Commit(b); err == nil {
			t.Error("one more is no error")
		}
	})
}

// Forwarding itself is proven by internal/handover, between hosts; this is what the kernel
// says about it.
func TestForwardIsForTheNetdevFamily(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"192.0.2.1", "2001:db8::1"} {
			forward := nft.ForwardTo(ifi.Index, netip.MustParseAddr(to))
			b := new(nft.Batch)
			b.Table(nft.Netdev, "tandem_test", 0)
			b.Chain(nft.Netdev, "tandem_test", nft.Chain{Name: "in", Hook: nft.HookIngress, Device: "eth0"})
			b.Rule(nft.Netdev, "tandem_test", "in", nft.NotForUs(), nft.LaterFragment6(), nft.Count, forward)
			if err := c.Commit(b); err != nil {
				t.Errorf("to %s: %v", to, err)
			}
			b = new(nft.Batch)
			b.Table(nft.IPv6, "tandem_test", 0)
			b.Chain(nft.IPv6, "tandem_test", nft.Chain{Name: "in", Hook: nft.HookIn})
			b.Rule(nft.IPv6, "tandem_test", "in", forward)
			if err := c.Commit(b); !errors.Is(err, nft.ErrNotFound) && !errors.Is(err, nft.ErrUnsupported) {
				t.Errorf("in another family: %v, want an error with a name", err)
			}
			if err := c.Remove(nft.Netdev, "tandem_test"); err != nil {
				t.Error(err)
			}
		}
	})
}
