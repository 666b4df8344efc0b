package election

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// The datagram, big-endian. What stands in brackets occurs once per group.
//
//	magic "TA" · version 1 · flags 1 · boot 8 · session 8 · sequence 8 · echo 8, if flagAnswer · address 16
//	interval 4 (µs) · lateness 4 (µs) · node (length 1, name) · number of groups 1
//	[ state 1 · flags 1 · priority 1 · fitness 1 · hearing 1 · stations 1 · epoch 8 · name (length 1, name) ]
//	tag 16, if flagSealed
//
// A question, which has flagQuestion:
//
//	magic "TA" · version 1 · flags 1 · boot 8 · session 8 · nonce 8 · node (length 1, name)
//	target (length 1, name, may be empty) · complaint, if flagComplaint · tag 16, if flagSealed
//
// A complaint:
//
//	sequence 8 · for 4 (µs) · hearing 1 · stations 1 · group (length 1, name)
//
// A hello, which has flagHello and is always sealed:
//
//	magic "TA" · version 1 · flags 1 · boot 8 · nonce 8 · echo 8 · node (length 1, name) · tag 16
//
// Unknown flags are refused, so a bit that gains a meaning needs no new version only if old nodes may
// refuse those who use it.
const (
	wireVersion = 1

	flagSealed    = 1 << 0 // datagram flags: a tag ends it
	flagAnswer    = 1 << 1 // an advert that answers a question
	flagQuestion  = 1 << 2 // no advert, but a question
	flagHello     = 1 << 3 // no advert, but a part of the exchange that makes a session
	flagComplaint = 1 << 4 // a question that carries a complaint
	flagKinds     = flagAnswer | flagQuestion | flagHello

	hearGateway = 1 << 0 // hearing
	hearPeer    = 1 << 1

	groupClaiming = 1 << 0 // group flags
	groupWire     = 3 << 1 // two bits: Wire
	wireShift     = 1
	groupStandby  = 1 << 3

	headLen = 2 + 1 + 1 // magic, version, flags
)

var wireMagic = [2]byte{'T', 'A'}

// Why a datagram is refused, or an advert cannot be sent. Each has its name, to be counted by.
var (
	ErrShort    = errors.New("advert cut short")
	ErrLong     = errors.New("advert too long")
	ErrMagic    = errors.New("not an advert")
	ErrVersion  = errors.New("advert of another version")
	ErrFlags    = errors.New("advert with unknown flags")
	ErrName     = errors.New("advert with a node's or group's name that is empty or too long")
	ErrBoot     = errors.New("advert without a boot id")
	ErrAddr     = errors.New("advert without its sender's address")
	ErrInterval = errors.New("advert with an interval out of bounds")
	ErrLate     = errors.New("advert with a lateness out of bounds")
	ErrState    = errors.New("advert with an unknown state")
	ErrFor      = errors.New("complaint with a duration out of bounds")
	ErrEpoch    = errors.New("advert with an epoch out of bounds")
	ErrGroups   = errors.New("advert with too many groups, or one of them twice")
	ErrSealed   = errors.New("sealed advert, but this node has no key")
	ErrUnsealed = errors.New("advert without authentication, but this node has a key")
	ErrNonce    = errors.New("question or answer without a nonce")
	ErrKind     = errors.New("question where an advert is expected, or the other way round")
	ErrTag      = errors.New("advert sealed with another key, or altered")
)

// AppendAdvert appends the unsealed datagram of a to dst. Intervals are cut to microseconds. The error is
// one of the Err… above, and dst is then returned as it was.
func AppendAdvert(dst []byte, a *Advert) ([]byte, error) { return appendAdvert(dst, a, 0, 0) }

// ParseAdvert reads an unsealed datagram and trusts it. A sealed one is refused with ErrSealed: Open is for
// what comes from a network.
func ParseAdvert(b []byte) (Advert, error) {
	flags, err := parseHead(b)
	if err != nil {
		return Advert{}, err
	}
	if flags&flagSealed != 0 {
		return Advert{}, ErrSealed
	}
	return parseBody(b[headLen:], flags)
}

// check returns why a cannot be sent, or must not be believed.
func (a *Advert) check() error {
	switch {
	case !nameOK(a.Node):
		return ErrName
	case a.Boot == 0:
		return ErrBoot
	case !a.Addr.IsValid() || a.Addr.IsUnspecified() || a.Addr.Zone() != "":
		return ErrAddr
	case a.Interval < MinAdvertInterval || a.Interval > MaxAdvertInterval:
		return ErrInterval
	case a.Late < 0 || a.Late/time.Microsecond > math.MaxUint32:
		return ErrLate
	case len(a.Groups) > MaxGroups:
		return ErrGroups
	}
	for i, g := range a.Groups {
		switch {
		case !nameOK(g.Name):
			return ErrName
		case g.State >= numStates:
			return ErrState
		case g.Wire >= numWires:
			return ErrFlags
		case g.Epoch > maxEpoch:
			return ErrEpoch
		}
		for _, other := range a.Groups[:i] {
			if other.Name == g.Name {
				return ErrGroups
			}
		}
	}
	return nil
}

func nameOK(s string) bool { return s != "" && len(s) <= MaxNameLen }

// appendAdvert leaves room bytes free below MaxDatagram, for a tag.
func appendAdvert(dst []byte, a *Advert, flags byte, room int) ([]byte, error) {
	if err := a.check(); err != nil {
		return dst, err
	}
	addr := a.Addr.As16()
	flags |= bit(a.Echo != 0, flagAnswer)
	b := append(dst, wireMagic[0], wireMagic[1], wireVersion, flags)
	b = binary.BigEndian.AppendUint64(b, a.Boot)
	b = binary.BigEndian.AppendUint64(b, a.Session)
	b = binary.BigEndian.AppendUint64(b, a.Seq)
	if a.Echo != 0 {
		b = binary.BigEndian.AppendUint64(b, a.Echo)
	}
	b = append(b, addr[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.Interval/time.Microsecond))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Late/time.Microsecond))
	b = appendName(b, a.Node)
	b = append(b, byte(len(a.Groups)))
	for _, g := range a.Groups {
		b = append(b, byte(g.State), bit(g.Claiming, groupClaiming)|bit(g.Standby, groupStandby)|byte(g.Wire)<<wireShift, g.Priority, g.Fitness)
		b = appendHearing(b, g.Hearing)
		b = binary.BigEndian.AppendUint64(b, g.Epoch)
		b = appendName(b, g.Name)
	}
	if len(b)-len(dst)+room > MaxDatagram {
		return dst, ErrLong
	}
	return b, nil
}

func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}

func appendHearing(b []byte, h Hearing) []byte {
	return append(b, bit(h.Gateway, hearGateway)|bit(h.Peer, hearPeer), h.Stations)
}

func appendName(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// parseHead returns the flags of a datagram that may be one of ours.
func parseHead(b []byte) (flags byte, err error) {
	switch {
	case len(b) > MaxDatagram:
		return 0, ErrLong
	case len(b) < headLen:
		return 0, ErrShort
	case [2]byte(b) != wireMagic:
		return 0, ErrMagic
	case b[2] != wireVersion:
		return 0, ErrVersion
	case b[3]&^(flagSealed|flagKinds|flagComplaint) != 0, bits.OnesCount8(b[3]&flagKinds) > 1,
		b[3]&flagComplaint != 0 && b[3]&flagQuestion == 0:
		return 0, ErrFlags
	}
	return b[3], nil
}

// parseBody reads all between head and tag.
func parseBody(b []byte, flags byte) (Advert, error) {
	if flags&(flagQuestion|flagHello) != 0 {
		return Advert{}, ErrKind
	}
	r := reader{b: b}
	a := Advert{Boot: r.uint64(), Session: r.uint64(), Seq: r.uint64()}
	if flags&flagAnswer != 0 {
		a.Echo = r.nonce()
	}
	a.Addr = netip.AddrFrom16([16]byte(r.bytes(16))).Unmap()
	a.Interval = time.Duration(r.uint32()) * time.Microsecond
	a.Late = time.Duration(r.uint32()) * time.Microsecond
	a.Node = r.name()
	n := int(r.byte())
	if r.err == nil && n > MaxGroups {
		return Advert{}, ErrGroups
	}
	for range n {
		g := GroupAdvert{State: State(r.byte())}
		flags := r.flags(groupClaiming | groupWire | groupStandby)
		g.Claiming, g.Standby, g.Wire = flags&groupClaiming != 0, flags&groupStandby != 0, Wire(flags&groupWire>>wireShift)
		g.Priority, g.Fitness, g.Hearing, g.Epoch, g.Name = r.byte(), r.byte(), r.hearing(), r.uint64(), r.name()
		if r.err != nil {
			break
		}
		a.Groups = append(a.Groups, g)
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = ErrLong
	}
	if r.err == nil {
		r.err = a.check()
	}
	if r.err != nil {
		return Advert{}, r.err
	}
	return a, nil
}

// reader takes values off b. After the first error it returns zeros.
type reader struct {
	b   []byte
	err error
}

var zeros [MaxNameLen]byte

func (r *reader) bytes(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = ErrShort
	}
	if r.err != nil {
		return zeros[:n]
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte     { return r.bytes(1)[0] }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

// flags refuses all bits but the known ones.
func (r *reader) flags(known byte) byte {
	v := r.byte()
	if r.err == nil && v&^known != 0 {
		r.err = ErrFlags
	}
	return v
}

func (r *reader) hearing() Hearing {
	v := r.flags(hearGateway | hearPeer)
	return Hearing{Gateway: v&hearGateway != 0, Peer: v&hearPeer != 0, Stations: r.byte()}
}

func (r *reader) name() string {
	n := int(r.byte())
	if r.err == nil && n > MaxNameLen {
		r.err = ErrName
	}
	if r.err != nil {
		return ""
	}
	return string(r.bytes(n))
}

func (r *reader) nonce() uint64 {
	v := r.uint64()
	if r.err == nil && v == 0 {
		r.err = ErrNonce
	}
	return v
}
