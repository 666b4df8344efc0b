// Package proxyproto reads and writes the header of the PROXY protocol, versions 1 and 2, by which one proxy
// tells the next whose connection it is. It is sans-I/O: bytes in, values out.
//
// What it reads is strict: a header is whole and right, or an error. Nobody who is not trusted must be let
// near it, since whoever writes the header can claim to be anybody.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
)

// MaxLen is the length of the longest header that is read; version 2 allows for extensions up to 64 KiB, of which
// senders use some hundred bytes.
const MaxLen = 4096

// maxV1 is the longest header of version 1, its end of line included.
const maxV1 = 107

// Header is what one says.
type Header struct {
	// Local says that the sender speaks for itself, as for a health check, or knows no addresses: those of the
	// connection hold.
	Local bool
	Src   netip.AddrPort // the client
	Dst   netip.AddrPort // what it has connected to
	TLS   bool           // the client came over TLS (version 2)
}

// What is wrong with a header.
var (
	ErrNone     = errors.New("no PROXY header")
	ErrVersion1 = errors.New("malformed PROXY header of version 1")
	ErrVersion2 = errors.New("malformed PROXY header of version 2")
	ErrFamily   = errors.New("PROXY header of something else than TCP")
	ErrLong     = errors.New("PROXY header too long")
)

var (
	signature1 = []byte("PROXY ")
	signature2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse reads the header at the start of b and returns its length; 0 without an error means that more is needed.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case begins(b, signature1):
		return parse1(b)
	case begins(b, signature2):
		return parse2(b)
	}
	return h, 0, ErrNone
}

// begins says that b begins with s, as far as it goes.
func begins(b, s []byte) bool {
	n := min(len(b), len(s))
	return bytes.Equal(b[:n], s[:n])
}

func parse1(b []byte) (h Header, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxV1)], '\n')
	switch {
	case end < 0 && len(b) >= maxV1:
		return h, 0, ErrLong
	case end < 0:
		return h, 0, nil
	case b[end-1] != '\r': // there is "PROXY " before it
		return h, 0, ErrVersion1
	}
	words := bytes.Split(b[len(signature1):end-1], []byte{' '})
	n = end + 1
	switch {
	case string(words[0]) == "UNKNOWN": // whatever stands behind it (2.1)
		return Header{Local: true}, n, nil
	case len(words) != 5:
		return h, 0, ErrVersion1
	}
	src, ok1 := address1(words[0], words[1], words[3])
	dst, ok2 := address1(words[0], words[2], words[4])
	if !ok1 || !ok2 {
		return h, 0, ErrVersion1
	}
	return Header{Src: src, Dst: dst}, n, nil
}

// address1 reads an address as version 1 writes it: in the family's canonical form, the port without zeros before it.
func address1(family, addr, port []byte) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(string(addr))
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	switch string(family) {
	case "TCP4":
		if !a.Is4() {
			return netip.AddrPort{}, false
		}
	case "TCP6":
		if !a.Is6() {
			return netip.AddrPort{}, false
		}
	default:
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil || port[0] == '0' && len(port) > 1 || port[0] == '+' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), true
}

// Fields of version 2.
const (
	fixed2     = 16 // signature, command, family, length
	commandMin = 0x20
	tcp4, tcp6 = 0x11, 0x21
	tlvSSL     = 0x20
	clientSSL  = 0x01
)

func parse2(b []byte) (h Header, n int, err error) {
	if len(b) < fixed2 {
		return h, 0, nil
	}
	command, family := b[12], b[13]
	n = fixed2 + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case command != commandMin && command != commandMin+1:
		return h, 0, ErrVersion2
	case n > MaxLen:
		return h, 0, ErrLong
	case len(b) < n:
		return h, 0, nil
	case command == commandMin || family == 0: // LOCAL, or UNSPEC: what follows is skipped
		return Header{Local: true}, n, nil
	}
	body := b[fixed2:n]
	size := 0
	switch family {
	case tcp4:
		size = 4
	case tcp6:
		size = 16
	default:
		return h, 0, ErrFamily
	}
	if len(body) < 2*size+4 {
		return h, 0, ErrVersion2
	}
	h.Src, h.Dst = address2(body, 0, size), address2(body, 1, size)
	h.TLS, err = overTLS(body[2*size+4:])
	if err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

func address2(body []byte, which, size int) netip.AddrPort {
	a, _ := netip.AddrFromSlice(body[which*size : (which+1)*size])
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(body[2*size+2*which:]))
}

// overTLS looks through the extensions (2.2).
func overTLS(b []byte) (tls bool, err error) {
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
			return false, ErrVersion2
		}
		kind, value := b[0], b[3:3+binary.BigEndian.Uint16(b[1:])]
		if kind == tlvSSL {
			if len(value) < 5 {
				return false, ErrVersion2
			}
			tls = value[0]&clientSSL != 0
		}
		b = b[3+len(value):]
	}
	return tls, nil
}

// Append appends a header of a version, 1 or 2. Addresses of two families are both written as IPv6.
func Append(dst []byte, version int, h *Header) []byte {
	src, to := h.Src, h.Dst
	four := src.Addr().Is4() && to.Addr().Is4()
	if version == 1 {
		return append1(dst, four, src, to)
	}
	return append2(dst, four, h)
}

func append1(dst []byte, four bool, src, to netip.AddrPort) []byte {
	family := "PROXY TCP4 "
	if !four {
		family = "PROXY TCP6 "
	}
	dst = append(dst, family...)
	dst = appendAddr(dst, four, src.Addr())
	dst = append(dst, ' ')
	dst = appendAddr(dst, four, to.Addr())
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(src.Port()), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(to.Port()), 10)
	return append(dst, "\r\n"...)
}

func appendAddr(dst []byte, four bool, a netip.Addr) []byte {
	if !four && a.Is4() {
		dst = append(dst, "::ffff:"...)
	}
	return a.AppendTo(dst)
}

func append2(dst []byte, four bool, h *Header) []byte {
	dst = append(dst, signature2...)
	family, length := byte(tcp6), 2*16+4
	if four {
		family, length = tcp4, 2*4+4
	}
	const tlv = 3 + 5 // of TLS: client, verify
	if h.TLS {
		length += tlv
	}
	dst = append(dst, commandMin+1, family)
	dst = binary.BigEndian.AppendUint16(dst, uint16(length))
	for _, a := range []netip.Addr{h.Src.Addr(), h.Dst.Addr()} {
		if four {
			b := a.As4()
			dst = append(dst, b[:]...)
		} else {
			b := a.As16()
			dst = append(dst, b[:]...)
		}
	}
	dst = binary.BigEndian.AppendUint16(dst, h.Src.Port())
	dst = binary.BigEndian.AppendUint16(dst, h.Dst.Port())
	if h.TLS {
		dst = append(dst, tlvSSL, 0, 5, clientSSL, 0, 0, 0, 1) // verify: not 0, no certificate was verified
	}
	return dst
}
