package http1

import (
	"encoding/binary"
	"math/bits"
)

// Classes of bytes, as bits of class.
const (
	isToken  = 1 << iota // tchar (RFC 9110, 5.6.2)
	isTarget             // visible ASCII but "#": what a request target may hold here
	isHost               // letters, digits, "-", ".", "_": what a registered name or an IPv4 address may hold here
	isHex
	isDigit
)

var class = func() (t [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = isTarget
	}
	t['#'] = 0
	set := func(s string, bit uint8) {
		for i := range len(s) {
			t[s[i]] |= bit
		}
	}
	set("0123456789", isToken|isHost|isHex|isDigit)
	set("abcdefABCDEF", isHex)
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", isToken|isHost)
	set("!#$%&'*+-.^_`|~", isToken)
	set("-._", isHost)
	return t
}()

// fold maps upper to lower case, and "_" to "-" so that names which a CGI-like backend cannot tell apart
// (both become HTTP_X_Y) compare equal.
var fold = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = byte(c - 'A' + 'a')
	}
	t['_'] = '-'
	return t
}()

// alike reports whether b, as long as lower, is lower but for case and "_" in place of "-".
func alike(b []byte, lower string) bool {
	for i, c := range b {
		if fold[c] != lower[i] {
			return false
		}
	}
	return true
}

// equalFold reports whether the token b is lower but for ASCII case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if fold[c] != lower[i] || c == '_' && lower[i] == '-' {
			return false
		}
	}
	return true
}

// tokenOnly reports whether b, which is not empty, is a token.
func tokenOnly(b []byte) bool {
	for _, c := range b {
		if class[c]&isToken == 0 {
			return false
		}
	}
	return true
}

// skipText returns the place of the first byte in b[i:] that may not stand in a field value (RFC 9110, 5.5):
// a control byte other than HTAB. Bytes above 0x7f (obs-text) are text. Eight bytes at a time.
func skipText(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		y := x ^ ones*0x7f // zero where DEL is
		// A top bit is set for each byte < 0x20 of x and < 0x01 of y. Borrows can set wrong ones above the
		// first right one only.
		m := ((x-ones*0x20)&^x | (y-ones)&^y) & tops
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && (b[i] >= 0x20 && b[i] != 0x7f || b[i] == '\t') {
		i++
	}
	return i
}

// trim removes optional white space (SP and HTAB) from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// parseDigits reads 1*DIGIT as a number below 2^63; false for anything else.
func parseDigits(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var u uint64 // 19 digits cannot overflow it
	for _, c := range b {
		if class[c]&isDigit == 0 {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	return int64(u), u <= 1<<63-1
}
