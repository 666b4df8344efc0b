package importer

import (
	"net/netip"
	"slices"
)

// Sets of addresses are lists of networks, none of which holds another.

func networksOf(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

// union has the addresses of both, in the order in which they are named.
func union(a, b []netip.Prefix) (out []netip.Prefix) {
	all := append(slices.Clone(a), b...)
	for i, p := range all {
		held := slices.ContainsFunc(all, func(q netip.Prefix) bool { return q != p && covers(q, p) })
		if !held && !slices.Contains(all[:i], p) {
			out = append(out, p)
		}
	}
	return out
}

func covers(q, p netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }

// intersect has the addresses that are in both.
func intersect(a, b []netip.Prefix) (out []netip.Prefix) {
	for _, p := range a {
		for _, q := range b {
			switch {
			case covers(q, p):
				out = append(out, p)
			case covers(p, q):
				out = append(out, q)
			}
		}
	}
	return union(out, nil)
}

// subtract has the addresses of a that are not in b.
func subtract(a, b []netip.Prefix) (out []netip.Prefix) {
	out = a
	for _, q := range b {
		var left []netip.Prefix
		for _, p := range out {
			left = append(left, without(p, q)...)
		}
		out = left
	}
	return out
}

// without cuts p in halves until one of them is q, which is left out.
func without(p, q netip.Prefix) (out []netip.Prefix) {
	if covers(q, p) {
		return nil
	}
	if !covers(p, q) {
		return []netip.Prefix{p}
	}
	for bits := p.Bits() + 1; bits <= q.Bits(); bits++ {
		b := q.Addr().AsSlice()
		b[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		other, _ := netip.AddrFromSlice(b) // as long as it was
		out = append(out, netip.PrefixFrom(other, bits).Masked())
	}
	return out
}
