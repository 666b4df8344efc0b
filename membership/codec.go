package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"unicode"
	"unicode/utf8"
)

// The binary form of what a member says of itself: one version byte, then fields, each a tag byte, the length of the
// value (uvarint) and the value. Fields of an unknown tag are skipped, so a newer member may say more; what an older
// one would misunderstand needs another version byte.
const metaVersion = 2

const (
	fieldSeq     = iota + 1 // uvarint
	fieldFlags              // one byte
	fieldRole               // one byte
	fieldVersion            // text
	fieldAdvert             // 4 or 16 bytes of address, 2 of port, big endian
	fieldTag                // length of the key (uvarint), key, value; once per tag
	fieldApp                // once per app; see appendApp
	fieldConfig             // text
)

const flagLeaving = 1 // statement.leaving

const flagDrain = 1 // App.Drain

// statement is what a member says of itself and when: among those of one run the one with the highest seq counts,
// by whichever path it comes.
type statement struct {
	meta    Meta
	seq     uint64
	leaving bool // goodbye: memberlist does not tell its delegates a member that left from one that failed
}

// encode returns the binary form, or why there is none (ErrMetaTooLarge among others).
func (s statement) encode() ([]byte, error) {
	m := s.meta
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("membership: meta cannot be announced: %w", err)
	}
	b := []byte{metaVersion}
	b = appendField(b, fieldSeq, binary.AppendUvarint(nil, s.seq))
	var flags byte
	if s.leaving {
		flags |= flagLeaving
	}
	b = appendField(b, fieldFlags, []byte{flags})
	b = appendField(b, fieldRole, []byte{byte(m.Role)})
	b = appendField(b, fieldVersion, []byte(m.Version))
	b = appendField(b, fieldAdvert, addrBytes(m.AdvertAddr))
	b = appendField(b, fieldConfig, []byte(m.Config))
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		v := binary.AppendUvarint(nil, uint64(len(k)))
		v = append(append(v, k...), m.Tags[k]...)
		b = appendField(b, fieldTag, v)
	}
	for _, a := range m.Apps {
		b = appendField(b, fieldApp, appendApp(nil, a))
	}
	if len(b) > MaxMeta {
		return nil, fmt.Errorf("%w: %d bytes where %d fit; shorten or drop tags, or announce fewer apps", ErrMetaTooLarge, len(b), MaxMeta)
	}
	return b, nil
}

// appendField appends one field; an empty value is not worth one.
func appendField(b []byte, tag byte, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// appendApp appends the flags of an app (one byte), its weight (uvarint), its address with the length (uvarint) in front,
// and the pool's name.
func appendApp(b []byte, a App) []byte {
	var flags byte
	if a.Drain {
		flags |= flagDrain
	}
	b = binary.AppendUvarint(append(b, flags), uint64(a.Weight))
	addr := addrBytes(a.Addr)
	b = append(binary.AppendUvarint(b, uint64(len(addr))), addr...)
	return append(b, a.Pool...)
}

func decodeApp(v []byte) (App, error) {
	if len(v) == 0 {
		return App{}, errors.New("app without flags")
	}
	weight, size := binary.Uvarint(v[1:])
	if size <= 0 || weight > MaxWeight {
		return App{}, errors.New("app's weight out of bounds")
	}
	addr, pool, ok := cutBytes(v[1+size:])
	if !ok {
		return App{}, errors.New("app ends within its address")
	}
	a := App{Pool: string(pool), Weight: int(weight), Drain: v[0]&flagDrain != 0}
	var err error
	if len(addr) > 0 {
		a.Addr, err = parseAddrBytes(addr)
	}
	return a, err
}

func addrBytes(a netip.AddrPort) []byte {
	if !a.IsValid() {
		return nil
	}
	return binary.BigEndian.AppendUint16(a.Addr().Unmap().AsSlice(), a.Port())
}

// decodeStatement reads what a member said. It never panics, and accepts nothing that encode would refuse to say.
func decodeStatement(b []byte) (statement, error) {
	var s statement
	if len(b) > MaxMeta {
		return s, fmt.Errorf("%w: %d bytes where %d are allowed", ErrMetaTooLarge, len(b), MaxMeta)
	}
	if len(b) == 0 || b[0] != metaVersion {
		return s, fmt.Errorf("meta is not of version %d", metaVersion)
	}
	var seen [fieldConfig + 1]bool // by tag; fieldTag and fieldApp may come again
	for b = b[1:]; len(b) > 0; {
		tag := b[0]
		value, rest, ok := cutBytes(b[1:])
		if !ok {
			return s, fmt.Errorf("meta ends within field %d", tag)
		}
		if int(tag) < len(seen) && tag != fieldTag && tag != fieldApp {
			if seen[tag] {
				return s, fmt.Errorf("meta holds field %d twice", tag)
			}
			seen[tag] = true
		}
		if err := s.setField(tag, value); err != nil {
			return s, fmt.Errorf("meta field %d: %w", tag, err)
		}
		b = rest
	}
	return s, s.meta.check()
}

func (s *statement) setField(tag byte, v []byte) (err error) {
	m := &s.meta
	switch tag {
	case fieldSeq:
		s.seq, err = uvarint(v)
	case fieldFlags:
		if len(v) != 1 {
			return errors.New("not one byte")
		}
		s.leaving = v[0]&flagLeaving != 0
	case fieldRole:
		if len(v) != 1 {
			return errors.New("not one byte")
		}
		m.Role = Role(v[0])
	case fieldVersion:
		m.Version = string(v)
	case fieldConfig:
		m.Config = string(v)
	case fieldAdvert:
		m.AdvertAddr, err = parseAddrBytes(v)
	case fieldTag:
		key, value, ok := cutBytes(v)
		if _, twice := m.Tags[string(key)]; !ok || twice {
			return errors.New("bad or repeated tag")
		}
		if m.Tags == nil {
			m.Tags = make(map[string]string)
		}
		m.Tags[string(key)] = string(value)
	case fieldApp:
		if len(m.Apps) == MaxApps {
			return errors.New("too many apps")
		}
		var a App
		a, err = decodeApp(v)
		m.Apps = append(m.Apps, a)
	}
	return err
}

// cutBytes cuts a value with its length in front off b.
func cutBytes(b []byte) (value, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n], b[n:], true
}

func uvarint(v []byte) (uint64, error) {
	n, size := binary.Uvarint(v)
	if size <= 0 || size != len(v) {
		return 0, errors.New("not a number")
	}
	return n, nil
}

func parseAddrBytes(v []byte) (netip.AddrPort, error) {
	if len(v) < 2 {
		return netip.AddrPort{}, errors.New("not an address and port")
	}
	ip, ok := netip.AddrFromSlice(v[:len(v)-2])
	if !ok {
		return netip.AddrPort{}, errors.New("not an address and port")
	}
	return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(v[len(v)-2:])), nil
}

// cleanText reports whether s is UTF-8 without control characters, so that it can be printed and logged anywhere.
func cleanText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
