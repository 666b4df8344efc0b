package membership

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxName is the longest name of a member in bytes; with the run it stays within 128 on the wire.
const maxName = 64

// checkName refuses what could not be told from a wire name, or would break a log line or a host name.
func checkName(name string) error {
	if name == "" {
		return errors.New("name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("name %q is longer than %d bytes", name, maxName)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			return fmt.Errorf("name %q holds %q; letters, digits, '.', '_' and '-' are allowed", name, r)
		}
	}
	return nil
}

// newWireName returns the name on the wire of a run of name that starts now. Two random letters tell apart two hosts
// that start in the same millisecond.
func newWireName(name string, now time.Time) string {
	return name + "#" + strconv.FormatInt(now.UnixMilli(), 36) + "-" + rand.Text()[:2]
}

// parseWireName takes a name on the wire apart: the member's name, and its run's start in ms by that host's clock.
func parseWireName(wire string) (name string, start int64, err error) {
	name, run, ok := strings.Cut(wire, "#")
	if !ok || len(run) > 16 {
		return "", 0, fmt.Errorf("%q is not the name of a Tandem member", wire)
	}
	if err := checkName(name); err != nil {
		return "", 0, err
	}
	stamp, random, ok := strings.Cut(run, "-")
	start, err = strconv.ParseInt(stamp, 36, 64)
	if !ok || err != nil || checkName(random) != nil {
		return "", 0, fmt.Errorf("%q is not the name of a Tandem member", wire)
	}
	return name, start, nil
}

// What members send each other directly: one byte of kind, the sender's wire name with its length (uvarint) in front,
// and the body, which for framePush is a statement in binary form.
const (
	framePayload = 1
	framePush    = 2
	frameRelay   = 3 // please carry a datagram
	frameAnswer  = 4 // this came back
	frameOrder   = 5 // please do this
	frameReport  = 6 // this became of it
)

func encodeFrame(kind byte, wire string, body []byte) []byte {
	b := appendField(nil, kind, []byte(wire))
	return append(b, body...)
}

func decodeFrame(b []byte) (kind byte, wire string, body []byte, err error) {
	if len(b) == 0 || b[0] < framePayload || b[0] > frameReport {
		return 0, "", nil, errors.New("unknown kind of message")
	}
	from, body, ok := cutBytes(b[1:])
	if !ok {
		return 0, "", nil, errors.New("message ends within the sender's name")
	}
	if len(body) > MaxPayload {
		return 0, "", nil, fmt.Errorf("%w: %d bytes", ErrPayloadTooLarge, len(body))
	}
	if _, _, err := parseWireName(string(from)); err != nil {
		return 0, "", nil, err
	}
	return b[0], string(from), body, nil
}

// relayHead is the length of the number in front of what is relayed and what is answered.
const relayHead = 8

// encodeRelay returns the body of a frameRelay: the question's number (8 bytes, big endian), the address as in a meta
// with its length (uvarint) in front, and the datagram.
func encodeRelay(id uint64, to netip.AddrPort, datagram []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, id)
	addr := addrBytes(to)
	b = append(binary.AppendUvarint(b, uint64(len(addr))), addr...)
	return append(b, datagram...)
}

func decodeRelay(body []byte) (id uint64, to netip.AddrPort, datagram []byte, err error) {
	if len(body) < relayHead {
		return 0, to, nil, errors.New("relay request ends within its number")
	}
	addr, datagram, ok := cutBytes(body[relayHead:])
	if !ok {
		return 0, to, nil, errors.New("relay request ends within its address")
	}
	if to, err = parseAddrBytes(addr); err != nil {
		return 0, to, nil, err
	}
	if !reachable(to) || len(datagram) == 0 || len(datagram) > MaxRelay {
		return 0, to, nil, fmt.Errorf("%d bytes cannot be relayed to %v", len(datagram), to)
	}
	return binary.BigEndian.Uint64(body), to, datagram, nil
}

// encodeAnswer returns the body of a frameAnswer: the question's number, and the datagram that came back.
func encodeAnswer(id uint64, datagram []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, id), datagram...)
}

func decodeAnswer(body []byte) (id uint64, datagram []byte, err error) {
	if len(body) <= relayHead || len(body) > relayHead+MaxRelay {
		return 0, nil, fmt.Errorf("answer of %d bytes to what was relayed", len(body))
	}
	return binary.BigEndian.Uint64(body), body[relayHead:], nil
}
