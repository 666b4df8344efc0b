package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// DefaultPrefix6 is how many leading bits of an IPv6 address tell sources apart: a
// subscriber is given a /64 at least, and can send from any address of it.
const DefaultPrefix6 = 64

// Key is a source. Keys that differ in Of are different whatever their address.
type Key struct {
	hi, lo uint64
	Of     uint32 // what is counted: which limit, or by how long a prefix
}

// KeyOf is the source that the address a belongs to, as As16 gives it: all of an IPv4
// address, or the first prefix6 bits of an IPv6 address, 1 to 128.
func KeyOf(a [16]byte, prefix6 int, of uint32) Key {
	k := Key{hi: binary.BigEndian.Uint64(a[:8]), lo: binary.BigEndian.Uint64(a[8:]), Of: of}
	switch {
	case netip.AddrFrom16(a).Is4In6():
	case prefix6 <= 64:
		k.hi &= ^uint64(0) << (64 - prefix6)
		k.lo = 0
	default:
		k.lo &= ^uint64(0) << (128 - prefix6)
	}
	return k
}

// hash is what a table goes by to find a key's place.
func (k Key) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }
