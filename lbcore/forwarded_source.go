package lbcore

import (
	"bytes"
	"net/netip"
	"unsafe"

	"github.com/tandem-lb/tandem/lbcore/route"
)

var (
	forwardedFor = []byte("x-forwarded-for")
	forwarded    = []byte("forwarded")
	forParameter = []byte("for=")
)

// source is who asks: peer, unless that is trusted and names somebody in X-Forwarded-For (or in
// Forwarded, where that is the only field that backends are told). The last one counts, since
// each proxy adds the one before it behind what it was told; where that is trusted too, so does
// the one before, and so on. What cannot be read ends the search.
func (t *telling) source(peer netip.Addr, f route.Fields) netip.Addr {
	if !t.believes(peer) {
		return peer
	}
	name, read := forwardedFor, hopAddr
	if t.standard && !t.x {
		name, read = forwarded, elementAddr
	}
	for i := f.NumFields() - 1; i >= 0; i-- {
		n, list := f.Field(i)
		if !bytes.EqualFold(n, name) {
			continue
		}
		for more := true; more; {
			hop := list
			k := bytes.LastIndexByte(list, ',')
			if more = k >= 0; more {
				list, hop = list[:k], list[k+1:]
			}
			a, ok := read(hop)
			if !ok {
				return peer
			}
			if peer = a; !t.believes(a) {
				return a
			}
		}
	}
	return peer
}

// elementAddr reads the address in an element of Forwarded (RFC 7239, 4).
func elementAddr(b []byte) (netip.Addr, bool) {
	for more := true; more; {
		var pair []byte
		if pair, b, more = bytes.Cut(b, []byte(";")); len(pair) == 0 {
			continue
		}
		if pair = bytes.Trim(pair, " \t"); len(pair) > len(forParameter) && bytes.EqualFold(pair[:len(forParameter)], forParameter) {
			return hopAddr(bytes.Trim(pair[len(forParameter):], `"`))
		}
	}
	return netip.Addr{}, false
}

// hopAddr reads an address, which some write with a port: 192.0.2.1:4711, [2001:db8::1]:4711.
func hopAddr(b []byte) (netip.Addr, bool) {
	b = bytes.Trim(b, " \t")
	if inside, isIPv6 := bytes.CutPrefix(b, []byte("[")); isIPv6 {
		b, _, _ = bytes.Cut(inside, []byte("]"))
	} else if bytes.Count(b, []byte(":")) == 1 {
		b, _, _ = bytes.Cut(b, []byte(":"))
	}
	if len(b) == 0 || bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(unsafe.String(&b[0], len(b))) // which keeps it in the error only
	return a.Unmap(), err == nil
}
