package handover

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestABookIsBounded(t *testing.T) {
	book := new(Book)
	add := func(peer string, from, n int) {
		t.Helper()
		var b Batch
		for i := range n {
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte((from + i) >> 16), byte((from + i) >> 8), byte(from + i)}), 1000)
			b.Added = append(b.Added, Flow{Client: client, Server: netip.MustParseAddrPort("192.0.2.1:80")})
		}
		for _, m := range b.encode() {
			if err := book.Apply(peer, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("a", 0, maxBookFlows+10)
	add("a", 0, 5) // known already: they need no room
	if n, dropped := book.Known("a"); n != maxBookFlows || dropped != 10 {
		t.Errorf("%d known, %d dropped", n, dropped)
	}
	for i := range maxBookPeers + 3 {
		add(fmt.Sprint(i), 0, 1)
	}
	if n, dropped := book.Known(fmt.Sprint(maxBookPeers + 2)); n != 0 || dropped != 10+4 {
		t.Errorf("a peer too many: %d known, %d dropped in all", n, dropped)
	}
	book.Forget("a")
	add("late", 0, 1)
	if n, _ := book.Known("late"); n != 1 {
		t.Error("there is no room for another peer after one was forgotten")
	}
	if err := book.Apply("late", []byte("nonsense")); err == nil {
		t.Error("nonsense is no error")
	}
	if n, _ := book.Known("late"); n != 1 {
		t.Error("nonsense has changed the book")
	}
}

func TestTakeTakesTheVIPsOnly(t *testing.T) {
	book := new(Book)
	four, six := someFlow(0), someFlow(1)
	for _, m := range (Batch{Added: []Flow{four, six}}).encode() {
		if err := book.Apply("a", m); err != nil {
			t.Fatal(err)
		}
	}
	mapped := []netip.Addr{netip.AddrFrom16(four.Server.Addr().As16())}
	if got := book.Take("b", mapped); got != nil {
		t.Errorf("another peer's: %v", got)
	}
	if got := book.Take("a", mapped); !slices.Equal(got, []Flow{four}) {
		t.Errorf("took %v, want %v", got, four)
	}
	if got := book.Take("a", mapped); got != nil {
		t.Errorf("took twice: %v", got)
	}
	if n, _ := book.Known("a"); n != 1 {
		t.Errorf("%d are left, want one", n)
	}
}

func TestAnACKIsAWholePacket(t *testing.T) {
	for i := range 2 {
		w := someFlow(i)
		p := bareACK(w, 0x01020304, 0x05060708)
		var pseudo, tcp []byte
		if w.Client.Addr().Is4() {
			if checksum(p[:20]) != 0 || int(binary.BigEndian.Uint16(p[2:])) != len(p) {
				t.Errorf("IPv4 header % x", p[:20])
			}
			pseudo, tcp = slices.Clone(p[12:20]), p[20:]
		} else {
			if int(binary.BigEndian.Uint16(p[4:])) != len(p)-40 || p[0] != 0x60 || p[6] != protocolTCP {
				t.Errorf("IPv6 header % x", p[:40])
			}
			pseudo, tcp = slices.Clone(p[8:40]), p[40:]
		}
		ends := slices.Concat(w.Server.Addr().AsSlice(), w.Client.Addr().AsSlice())
		if !slices.Equal(pseudo, ends) {
			t.Errorf("addresses % x, want % x", pseudo, ends)
		}
		pseudo = append(pseudo, 0, protocolTCP, 0, byte(len(tcp)))
		if sum := checksum(append(pseudo, tcp...)); sum != 0 {
			t.Errorf("checksum is off by %x", sum)
		}
		want := binary.BigEndian.AppendUint16(nil, w.Server.Port())
		want = binary.BigEndian.AppendUint16(want, w.Client.Port())
		want = append(want, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x10)
		if !slices.Equal(tcp[:14], want) {
			t.Errorf("TCP header % x, want % x", tcp[:14], want)
		}
	}
}

// RFC 1071, section 3, has this example.
func TestTheChecksumIsTheInternets(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%x, want %x", got, ^uint16(0xddf2))
	}
}

func TestTheRateIsKeptAfterABurst(t *testing.T) {
	for _, c := range []struct {
		n, rate int
		want    time.Duration
	}{
		{0, 10_000, 0},
		{tickleBurst - 1, 10_000, 0},
		{tickleBurst, 10_000, 100 * time.Microsecond},
		{tickleBurst + 9_999, 10_000, time.Second},
		{tickleBurst, 1, time.Second},
		{1 << 20, 1, (1<<20 - tickleBurst + 1) * time.Second},
	} {
		if got := dueAfter(c.n, c.rate); got != c.want {
			t.Errorf("packet %d at %d/s: after %v, want %v", c.n, c.rate, got, c.want)
		}
	}
}
