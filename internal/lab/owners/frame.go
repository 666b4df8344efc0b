package owners

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// frameSize is an Ethernet header and an ARP packet for IPv4 (RFC 826).
const frameSize = 14 + 28

// macs is how many MACs the requests take in turn: 64 × 5 ms = 320 ms is the
// longest delay at which an answer is still told from the next one's.
const macs = 64

// senderMAC is the locally administered address of the n-th request; "TNDM"
// in the middle tells it in a capture.
func senderMAC(n int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 'T', 'N', 'D', 'M', byte(n % macs)}
}

// request builds the n-th broadcast request for vip.
func request(n int, sender, vip netip.Addr) []byte {
	mac := senderMAC(n)
	b := make([]byte, 0, frameSize)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	b = append(b, mac...)
	b = append(b, 0x08, 0x06)                          // EtherType ARP
	b = append(b, 0, 1, 0x08, 0x00, 6, 4, 0, 1)        // Ethernet, IPv4, request
	b = append(append(b, mac...), sender.AsSlice()...) // who asks
	return append(append(b, 0, 0, 0, 0, 0, 0), vip.AsSlice()...)
}

// reply reads a frame as an answer to one of our requests for vip: which of the
// macs it answers, and whose MAC it gives.
func reply(b []byte, vip netip.Addr) (n int, mac [6]byte, ok bool) {
	if len(b) < frameSize || binary.BigEndian.Uint16(b[12:]) != 0x0806 {
		return 0, mac, false
	}
	a := b[14:]
	head := [8]byte{0, 1, 0x08, 0x00, 6, 4, 0, 2}
	if [8]byte(a[:8]) != head || netip.AddrFrom4([4]byte(a[14:18])) != vip {
		return 0, mac, false
	}
	to := [6]byte(a[18:24])
	if n = int(to[5]); n >= macs || to != [6]byte(senderMAC(n)) {
		return 0, mac, false
	}
	return n, [6]byte(a[8:14]), true
}
