// Package hello reads the server name (SNI, RFC 6066, 3) from the first message of a TLS client, to route by it
// without terminating TLS. It is sans-I/O and strict: a message that is not a well-formed ClientHello is an error.
package hello

import (
	"encoding/binary"
	"errors"
	"strings"
)

// MaxLen bounds the bytes of a ClientHello with its record headers. Browsers send below 2 KB, with post-quantum keys
// included; crypto/tls takes 64 KiB.
const MaxLen = 16 << 10

// What is wrong with the bytes.
var (
	ErrNotTLS    = errors.New("no TLS handshake")
	ErrMalformed = errors.New("malformed ClientHello")
	ErrLong      = errors.New("ClientHello too long")
)

const (
	recordHeader     = 5
	maxRecord        = 1 << 14
	typeHandshake    = 22
	typeClientHello  = 1
	extensionSNI     = 0
	nameTypeHost     = 0
	maxName          = 255
	messageHeader    = 4
	minRecordPayload = 1
)

// ServerName returns the host that the client in b asks for, in lower case, "" if it names none. done is false, without
// an error, if more bytes are needed.
func ServerName(b []byte) (name string, done bool, err error) {
	message, done, err := clientHello(b)
	if !done || err != nil {
		return "", false, err
	}
	name, ok := sni(message)
	if !ok {
		return "", false, ErrMalformed
	}
	return name, true, nil
}

// clientHello joins the pieces of the first handshake message, which may come in several records.
func clientHello(b []byte) (message []byte, done bool, err error) {
	for records := 1; ; records++ {
		if err := checkHeader(b); err != nil {
			return nil, false, err
		}
		if len(b) < recordHeader {
			return nil, false, nil
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		payload := b[recordHeader:min(len(b), recordHeader+n)]
		switch records {
		case 1:
			message = payload
		case 2: // a copy, to which the rest is added
			message = append(append(make([]byte, 0, 2*len(message)+n), message...), payload...)
		default:
			message = append(message, payload...)
		}
		if len(message) >= 1 && message[0] != typeClientHello {
			return nil, false, ErrMalformed
		}
		if len(message) >= messageHeader {
			size := messageHeader + int(message[1])<<16 + int(message[2])<<8 + int(message[3])
			switch {
			case size > MaxLen:
				return nil, false, ErrLong
			case len(message) >= size:
				return message[messageHeader:size], true, nil
			}
		}
		if len(payload) < n {
			return nil, false, nil
		}
		b = b[recordHeader+n:]
	}
}

// checkHeader judges as much of a record's header as there is.
func checkHeader(b []byte) error {
	switch {
	case len(b) >= 1 && b[0] != typeHandshake, len(b) >= 2 && b[1] != 3, len(b) >= 3 && b[2] > 4:
		return ErrNotTLS
	case len(b) >= recordHeader:
		if n := int(binary.BigEndian.Uint16(b[3:])); n < minRecordPayload || n > maxRecord {
			return ErrMalformed
		}
	}
	return nil
}

// bytesOf are read from the front; ok is false for good once something was missing.
type bytesOf struct {
	b  []byte
	ok bool
}

// vector reads a length of so many bytes, and what it counts.
func (s *bytesOf) vector(lengthBytes int) []byte {
	n := 0
	for _, c := range s.take(lengthBytes) {
		n = n<<8 | int(c)
	}
	return s.take(n)
}

func (s *bytesOf) take(n int) []byte {
	if len(s.b) < n {
		s.b, s.ok = nil, false
		return nil
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

// sni reads a ClientHello (RFC 8446, 4.1.2).
func sni(message []byte) (name string, ok bool) {
	s := bytesOf{message, true}
	s.take(2 + 32) // legacy_version, random
	s.vector(1)    // legacy_session_id
	suites := s.vector(2)
	methods := s.vector(1)
	if !s.ok || len(suites) == 0 || len(suites)%2 != 0 || len(methods) == 0 {
		return "", false
	}
	if len(s.b) == 0 {
		return "", true // TLS 1.2 without extensions
	}
	list := bytesOf{s.vector(2), true}
	if !s.ok || len(s.b) > 0 {
		return "", false
	}
	seen := make(map[uint16]bool)
	for len(list.b) > 0 {
		head := list.take(2)
		body := list.vector(2)
		if !list.ok {
			return "", false
		}
		kind := binary.BigEndian.Uint16(head)
		if seen[kind] {
			return "", false
		}
		seen[kind] = true
		if kind == extensionSNI {
			if name, ok = hostName(body); !ok {
				return "", false
			}
		}
	}
	return name, list.ok
}

// hostName reads the extension: a list of one host (RFC 6066, 3: no two of one type, and there is one type).
func hostName(body []byte) (string, bool) {
	s := bytesOf{body, true}
	list := bytesOf{s.vector(2), true}
	if !s.ok || len(s.b) > 0 {
		return "", false
	}
	kind := list.take(1)
	name := list.vector(2)
	if !list.ok || len(list.b) > 0 || kind[0] != nameTypeHost || !plausible(name) {
		return "", false
	}
	return strings.ToLower(string(name)), true
}

// plausible refuses what cannot be a host name: it is compared, and may stand in a log.
func plausible(name []byte) bool {
	if len(name) == 0 || len(name) > maxName || name[len(name)-1] == '.' {
		return false
	}
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
