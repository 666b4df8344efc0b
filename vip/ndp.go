package vip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// Neighbour discovery (RFC 4861), as little as VIPs need: the frames are built and
// read by hand, since they must carry sender addresses which a socket would refuse.

const (
	etherTypeIPv6 = 0x86DD
	protoICMPv6   = 58
	ndpHopLimit   = 255 // proof that no router forwarded it: RFC 4861, 7.1

	typeNS = 135 // RFC 4861, 4.3
	typeNA = 136 // RFC 4861, 4.4

	flagSolicited = 0x40 // in the first byte after the checksum
	flagOverride  = 0x20

	optSourceLLA = 1 // RFC 4861, 4.6.1
	optTargetLLA = 2

	ethLen  = 14
	ip6Len  = 40
	ndpLen  = 24 // ICMPv6 header, flags or reserved, target
	icmpOff = ethLen + ip6Len
	optOff  = icmpOff + ndpLen
)

var allNodes = netip.MustParseAddr("ff02::1")

// naAnnouncement builds an unsolicited neighbour advertisement, RFC 4861, 7.2.6,
// to all nodes, with the override flag: caches that know another MAC take this one.
func naAnnouncement(mac net.HardwareAddr, addr netip.Addr) []byte {
	return ndpFrame(mac, multicastMAC(allNodes), addr, allNodes, naBody(mac, flagOverride, addr))
}

// naAnswer builds the answer to a solicitation, RFC 4861, 7.2.4: to the asker alone; or,
// if it has no address yet (it probes), to all nodes without the solicited flag.
func naAnswer(mac net.HardwareAddr, q Frame) []byte {
	if !q.Owner.IsValid() {
		return naAnnouncement(mac, q.Target)
	}
	return ndpFrame(mac, q.MAC, q.Target, q.Owner, naBody(mac, flagSolicited|flagOverride, q.Target))
}

func naBody(mac net.HardwareAddr, flags byte, addr netip.Addr) []byte {
	body := make([]byte, ndpLen, ndpLen+8)
	body[0], body[4] = typeNA, flags
	copy(body[8:], addr.AsSlice())
	body = append(body, optTargetLLA, 1)
	return append(body, mac...)
}

// nsQuestion builds a solicitation in a node's own name, RFC 4861, 7.2.2.
func nsQuestion(mac net.HardwareAddr, own, addr netip.Addr) []byte {
	body := make([]byte, ndpLen, ndpLen+8)
	body[0] = typeNS
	copy(body[8:], addr.AsSlice())
	body = append(body, optSourceLLA, 1)
	group := solicitedNode(addr)
	return ndpFrame(mac, multicastMAC(group), own, group, append(body, mac...))
}

// nsProbe builds the solicitation of duplicate address detection, RFC 4862, 5.4.2:
// without a sender address, so that an owner answers to all nodes.
func nsProbe(mac net.HardwareAddr, addr netip.Addr) []byte {
	body := make([]byte, ndpLen)
	body[0] = typeNS
	copy(body[8:], addr.AsSlice())
	group := solicitedNode(addr)
	return ndpFrame(mac, multicastMAC(group), netip.IPv6Unspecified(), group, body)
}

// solicitedNode returns the solicited-node multicast address, RFC 4291, 2.7.1.
func solicitedNode(addr netip.Addr) netip.Addr {
	a := addr.As16()
	group := [16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff}
	copy(group[13:], a[13:])
	return netip.AddrFrom16(group)
}

// multicastMAC returns where a multicast packet goes, RFC 2464, 7.
func multicastMAC(group netip.Addr) net.HardwareAddr {
	d := group.As16()
	return net.HardwareAddr{0x33, 0x33, d[12], d[13], d[14], d[15]}
}

// ndpFrame wraps an ICMPv6 body.
func ndpFrame(mac, to net.HardwareAddr, src, dst netip.Addr, body []byte) []byte {
	s, d := src.As16(), dst.As16()
	b := make([]byte, 0, icmpOff+len(body))
	b = append(b, to...)
	b = append(b, mac...)
	b = binary.BigEndian.AppendUint16(b, etherTypeIPv6)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, protoICMPv6, ndpHopLimit)
	b = append(b, s[:]...)
	b = append(b, d[:]...)
	b = append(b, body...)
	binary.BigEndian.PutUint16(b[icmpOff+2:], checksum(b[ethLen:]))
	return b
}

// checksum computes ICMPv6's over an IPv6 packet, RFC 4443, 2.3. It is zero over a
// packet that carries the right one.
func checksum(ip6 []byte) uint16 {
	body := ip6[ip6Len:]
	sum := uint32(len(body)) + protoICMPv6
	for _, part := range [][]byte{ip6[8:ip6Len], body} {
		for len(part) >= 2 {
			sum += uint32(binary.BigEndian.Uint16(part))
			part = part[2:]
		}
		if len(part) == 1 {
			sum += uint32(part[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// decodeNDP reads an Ethernet frame that carries a valid neighbour solicitation or
// advertisement (RFC 4861, 7.1); false means that it is something else.
func decodeNDP(b []byte) (Frame, bool) {
	if len(b) < optOff || binary.BigEndian.Uint16(b[12:]) != etherTypeIPv6 ||
		b[ethLen]>>4 != 6 || b[ethLen+6] != protoICMPv6 || b[ethLen+7] != ndpHopLimit {
		return Frame{}, false
	}
	end := icmpOff + int(binary.BigEndian.Uint16(b[ethLen+4:]))
	if end < optOff || end > len(b) || checksum(b[ethLen:end]) != 0 || b[icmpOff+1] != 0 {
		return Frame{}, false
	}
	src := netip.AddrFrom16([16]byte(b[ethLen+8:]))
	target := netip.AddrFrom16([16]byte(b[icmpOff+8:]))
	if target.IsMulticast() || src.IsMulticast() {
		return Frame{}, false
	}
	f := Frame{Source: net.HardwareAddr(slices.Clone(b[6:12]))}
	want := byte(optTargetLLA)
	switch b[icmpOff] {
	case typeNA:
		f.Kind, f.Owner = Advertisement, target
	case typeNS:
		f.Kind, f.Target = Solicitation, target
		want = optSourceLLA
		if !src.IsUnspecified() { // else it is a probe
			f.Owner = src
		}
	default:
		return Frame{}, false
	}
	mac, ok := ndpLinkAddr(b[optOff:end], want)
	if !ok {
		return Frame{}, false
	}
	if mac == nil {
		mac = f.Source
	}
	f.MAC = mac
	return f, isStation(mac)
}

// ndpLinkAddr finds the link-layer address option of that type: nil when there is
// none, false when the options are malformed.
func ndpLinkAddr(opts []byte, want byte) (net.HardwareAddr, bool) {
	for len(opts) > 0 {
		if len(opts) < 8 || opts[1] == 0 || len(opts) < int(opts[1])*8 {
			return nil, false
		}
		if opts[0] == want {
			return net.HardwareAddr(slices.Clone(opts[2:8])), true
		}
		opts = opts[int(opts[1])*8:]
	}
	return nil, true
}
