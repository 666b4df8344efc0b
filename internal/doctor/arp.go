package doctor

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const arpLen = 28 // of a packet for Ethernet and IPv4 (RFC 826)

// arpProbe is a packet that asks who has addr and claims nothing: its sender's address is
// 0.0.0.0 (RFC 5227, 1.1).
func arpProbe(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	b = append(append(b, mac[:6]...), 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, addr.AsSlice()...)
}

// parseARP returns who a packet says has which address; false if it says nothing of the kind.
func parseARP(b []byte) (mac net.HardwareAddr, addr netip.Addr, ok bool) {
	if len(b) < arpLen || binary.BigEndian.Uint64(b)>>16 != 0x0001_0800_0604 {
		return nil, addr, false
	}
	addr = netip.AddrFrom4([4]byte(b[14:18]))
	return net.HardwareAddr(b[8:14]), addr, !addr.IsUnspecified()
}
