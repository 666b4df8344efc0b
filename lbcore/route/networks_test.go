package route

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// The sorted set says what looking at each network says.
func TestNetworksHoldWhatEachOfThemHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr { // from a small space, so that networks are often hit
		if r.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(4)), byte(r.Uint32())})
		}
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 4: byte(r.IntN(4)), 7: byte(r.IntN(4)), 15: byte(r.Uint32())})
	}
	in := 0
	for range 2000 {
		var list []netip.Prefix
		for range r.IntN(12) {
			a := addr()
			p, err := a.Prefix(r.IntN(a.BitLen()/2+1) + a.BitLen()/2)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
		}
		set := NewNetworks(list)
		for range 20 {
			a := addr()
			p, want := Holder(list, a)
			if got := set.Contains(a); got != want {
				t.Fatalf("%v in %v: %v, but %v", a, list, got, p)
			}
			if as6 := netip.AddrFrom16(a.As16()); set.Contains(as6) != want {
				t.Fatalf("%v in %v: not as %v", as6, list, a)
			}
			if want {
				in++
			}
		}
	}
	if in < 1000 {
		t.Errorf("only %d addresses were in a network", in)
	}
	all := NewNetworks([]netip.Prefix{netip.MustParsePrefix("::/0")})
	if !all.Contains(netip.MustParseAddr("2001:db8::1")) || all.Contains(netip.Addr{}) || all.Contains(netip.MustParseAddr("10.0.0.1")) || !(Networks{}).Empty() {
		t.Error("::/0 does not hold 2001:db8::1, or holds IPv4 or what is no address, or nothing is not empty")
	}
}
