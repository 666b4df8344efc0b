package importer

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// Small networks of few addresses, so that they overlap.
func randomNetworks(rng *rand.Rand) (all []netip.Prefix) {
	for range rng.IntN(5) {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(32))})
		if rng.IntN(4) == 0 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(rng.IntN(32))})
		}
		all = append(all, netip.PrefixFrom(a, a.BitLen()-rng.IntN(6)).Masked())
	}
	return all
}

func TestSetsOfAddressesHaveWhoIsInThem(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	in := func(list []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	for range 1000 {
		x, y := randomNetworks(rng), randomNetworks(rng)
		both, common, rest := union(x, y), intersect(x, y), subtract(x, y)
		for i := range byte(32) {
			for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, i}), netip.AddrFrom16([16]byte{0x20, 1, 15: i})} {
				ix, iy := in(x, a), in(y, a)
				if in(both, a) != (ix || iy) || in(common, a) != (ix && iy) || in(rest, a) != (ix && !iy) {
					t.Fatalf("seed %d: %v of %v and %v: union %v, intersection %v, difference %v", seed, a, x, y, both, common, rest)
				}
			}
		}
	}
}
