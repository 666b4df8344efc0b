package handover

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// DefaultTickleRate is how many ACKs Fire sends in a second.
const DefaultTickleRate = 10_000

// tickleBurst is how many of them go out at once: all, in most cases.
const tickleBurst = 256

// ErrGateShut says that the gate was shut before all was sent.
var ErrGateShut = errors.New("the gate is shut")

// Tickled is what Fire has done.
type Tickled struct {
	Sent   int
	Failed int // the kernel refused to send these, say for want of a route
}

// dueAfter is when the n-th packet, from 0, may leave, counted from the first. PURE.
func dueAfter(n, rate int) time.Duration {
	if n < tickleBurst {
		return 0
	}
	return time.Duration(n-tickleBurst+1) * time.Second / time.Duration(rate)
}

// Flags of a TCP header.
const (
	flagSYN = 0x02
	flagACK = 0x10
)

// Headers, in bytes.
const (
	header4   = 20
	header6   = 40
	headerTCP = 20
)

const tickleWindow = 512

// bareACK is a whole IP packet from server to client with nothing but an ACK in it. Its
// numbers fit no connection that the client knows of, save by an accident of one in
// thousands (a receive window in 2^32). PURE.
func bareACK(w Flow, seq, ack uint32) []byte {
	return segment(w.Server, w.Client, flagACK, seq, ack)
}

// segment is a whole IP packet with a TCP segment without data.
func segment(from, to netip.AddrPort, flags byte, seq, ack uint32) []byte {
	tcp := binary.BigEndian.AppendUint16(nil, from.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, to.Port())
	tcp = binary.BigEndian.AppendUint32(tcp, seq)
	tcp = binary.BigEndian.AppendUint32(tcp, ack)
	tcp = append(tcp, headerTCP/4<<4, flags)
	tcp = binary.BigEndian.AppendUint16(tcp, tickleWindow)
	tcp = append(tcp, 0, 0, 0, 0) // checksum, urgent pointer
	src, dst := from.Addr().AsSlice(), to.Addr().AsSlice()
	pseudo := append(append([]byte(nil), src...), dst...)
	pseudo = append(pseudo, 0, protocolTCP, 0, headerTCP)
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(pseudo, tcp...)))
	return append(ipHeader(src, dst), tcp...)
}

const (
	protocolTCP = 6
	hopLimit    = 64
)

// ipHeader is the header of a packet with one TCP header in it (RFC 791, RFC 8200).
func ipHeader(src, dst []byte) []byte {
	if len(src) == 16 {
		ip := []byte{0x60, 0, 0, 0, 0, headerTCP, protocolTCP, hopLimit}
		return append(append(ip, src...), dst...)
	}
	const dontFragment = 0x40
	ip := []byte{0x45, 0, 0, header4 + headerTCP, 0, 0, dontFragment, 0, hopLimit, protocolTCP, 0, 0}
	ip = append(append(ip, src...), dst...)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return ip
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(data []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(data[i])<<8 | uint32(data[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
