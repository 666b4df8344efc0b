package route

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// Networks is a set of networks, ready for use: looking an address up takes a handful of
// comparisons, however many there are. It is immutable; the zero value holds nothing.
type Networks struct{ four, six []span }

// span is what a network reaches from and to, both included, as netip.Addr.As16 has it.
type span struct{ from, to [16]byte }

// NewNetworks makes a set of valid prefixes, which may overlap.
func NewNetworks(list []netip.Prefix) (n Networks) {
	for _, p := range list {
		if s := spanOf(p); p.Addr().Is4() {
			n.four = append(n.four, s)
		} else {
			n.six = append(n.six, s)
		}
	}
	n.four, n.six = sorted(n.four), sorted(n.six)
	return n
}

// sorted puts spans in order, without those that lie in another: networks overlap in no other way.
func sorted(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return bytes.Compare(a.from[:], b.from[:]) })
	kept := all[:0]
	for _, s := range all {
		if last := len(kept) - 1; last >= 0 && bytes.Compare(s.to[:], kept[last].to[:]) <= 0 {
			continue
		}
		if last := len(kept) - 1; last >= 0 && s.from == kept[last].from { // and reaches further
			kept = kept[:last]
		}
		kept = append(kept, s)
	}
	return kept
}

func spanOf(p netip.Prefix) span {
	first := p.Masked().Addr()
	s := span{from: first.As16(), to: first.As16()}
	for i := p.Bits() + 128 - first.BitLen(); i < 128; i++ {
		s.to[i/8] |= 1 << (7 - i%8)
	}
	return s
}

// Empty says that it holds nothing.
func (n Networks) Empty() bool { return len(n.four)+len(n.six) == 0 }

// Contains says that the address is in one of the networks; an IPv4 address may come in the
// form of IPv6.
func (n Networks) Contains(a netip.Addr) bool {
	spans := n.six
	switch {
	case !a.IsValid():
		return false
	case a.Is4() || a.Is4In6():
		spans = n.four
	}
	b := a.As16()
	i, found := slices.BinarySearchFunc(spans, b, func(s span, b [16]byte) int { return bytes.Compare(s.from[:], b[:]) })
	return found || i > 0 && bytes.Compare(b[:], spans[i-1].to[:]) <= 0
}

// BadNetwork says why p is no network; "" if it is one.
func BadNetwork(p netip.Prefix) string {
	if !p.IsValid() || p.Addr().Is4In6() || p != p.Masked() {
		return fmt.Sprintf("%v is not a network", p)
	}
	return ""
}

// Holder returns the first of list that holds the address.
func Holder(list []netip.Prefix, a netip.Addr) (netip.Prefix, bool) {
	for _, p := range list {
		if p.Contains(a.Unmap()) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
