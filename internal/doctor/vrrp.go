package doctor

import "net/netip"

// protoVRRP is the IP protocol number of VRRP (RFC 9568, 5.1.1.4).
const protoVRRP = 112

// parseVRRP reads an IPv4 packet; false if it is no VRRP advert of version 2 or 3 (RFC 3768, 5;
// RFC 9568, 5.2).
func parseVRRP(b []byte) (v VRRP, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != protoVRRP {
		return v, false
	}
	head := int(b[0]&15) * 4
	if head < 20 || len(b) < head+8 {
		return v, false
	}
	v.From = netip.AddrFrom4([4]byte(b[12:16]))
	p := b[head:]
	v.Version = int(p[0] >> 4)
	if v.Version != 2 && v.Version != 3 || p[0]&15 != 1 {
		return v, false
	}
	v.VRID, v.Priority = int(p[1]), int(p[2])
	n := int(p[3])
	if p = p[8:]; len(p) < 4*n {
		return v, false
	}
	for i := range n {
		v.Addrs = append(v.Addrs, netip.AddrFrom4([4]byte(p[4*i:4*i+4])))
	}
	return v, true
}
