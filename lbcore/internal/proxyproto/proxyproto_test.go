package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func v2(command, family byte, body string) string {
	return string(signature2) + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

var (
	src4, dst4 = netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("192.0.2.2:443")
	src6, dst6 = netip.MustParseAddrPort("[2001:db8::1]:5000"), netip.MustParseAddrPort("[2001:db8::2]:443")
	body4      = "\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x01\xbb"
)

var cases = []struct {
	name, in string
	want     Header
	err      error
}{
	{"1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n", Header{Src: src4, Dst: dst4}, nil},
	{"1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", Header{Src: src6, Dst: dst6}, nil},
	{"1, unknown", "PROXY UNKNOWN\r\n", Header{Local: true}, nil},
	{"1, unknown with addresses", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Header{Local: true}, nil},
	{"1, bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\n", Header{}, ErrVersion1},
	{"1, other family", "PROXY TCP4 2001:db8::1 2001:db8::2 5000 443\r\n", Header{}, ErrVersion1},
	{"1, mixed", "PROXY TCP6 192.0.2.1 2001:db8::2 5000 443\r\n", Header{}, ErrVersion1},
	{"1, zero before a port", "PROXY TCP4 192.0.2.1 192.0.2.2 05000 443\r\n", Header{}, ErrVersion1},
	{"1, port too great", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n", Header{}, ErrVersion1},
	{"1, signed port", "PROXY TCP4 192.0.2.1 192.0.2.2 +5 443\r\n", Header{}, ErrVersion1},
	{"1, no port", "PROXY TCP4 192.0.2.1 192.0.2.2  443\r\n", Header{}, ErrVersion1},
	{"1, octal", "PROXY TCP4 192.0.02.1 192.0.2.2 5000 443\r\n", Header{}, ErrVersion1},
	{"1, one word too many", "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443 1\r\n", Header{}, ErrVersion1},
	{"1, UDP", "PROXY UDP4 192.0.2.1 192.0.2.2 5000 443\r\n", Header{}, ErrVersion1},
	{"1, zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 5000 443\r\n", Header{}, ErrVersion1},
	{"1, endless", "PROXY TCP4 " + strings.Repeat("1", 200), Header{}, ErrLong},
	{"2, IPv4", v2(0x21, 0x11, body4), Header{Src: src4, Dst: dst4}, nil},
	{"2, with extensions", v2(0x21, 0x11, body4+"\x01\x00\x02h2\x20\x00\x05\x01\x00\x00\x00\x00"), Header{Src: src4, Dst: dst4, TLS: true}, nil},
	{"2, local", v2(0x20, 0x11, body4), Header{Local: true}, nil},
	{"2, local and empty", v2(0x20, 0, ""), Header{Local: true}, nil},
	{"2, unspecified", v2(0x21, 0, "whatever"), Header{Local: true}, nil},
	{"2, version 3", v2(0x31, 0x11, body4), Header{}, ErrVersion2},
	{"2, command 2", v2(0x22, 0x11, body4), Header{}, ErrVersion2},
	{"2, UDP", v2(0x21, 0x12, body4), Header{}, ErrFamily},
	{"2, unix", v2(0x21, 0x31, strings.Repeat("x", 216)), Header{}, ErrFamily},
	{"2, short", v2(0x21, 0x11, body4[:11]), Header{}, ErrVersion2},
	{"2, short extension", v2(0x21, 0x11, body4+"\x01\x00\x03h2"), Header{}, ErrVersion2},
	{"2, too long", v2(0x21, 0x11, strings.Repeat("x", MaxLen)), Header{}, ErrLong},
	{"none", "GET / HTTP/1.1\r\n", Header{}, ErrNone},
	{"TLS", "\x16\x03\x01", Header{}, ErrNone},
}

func TestHeadersAreReadWholeOrRefused(t *testing.T) {
	for _, c := range cases {
		h, n, err := Parse([]byte(c.in + "rest"))
		if !errors.Is(err, c.err) || h != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, h, err, c.want, c.err)
		}
		if want := len(c.in); err == nil && n != want {
			t.Errorf("%s: %d bytes, want %d", c.name, n, want)
		}
		if c.err != nil {
			continue
		}
		for i := range len(c.in) {
			if h, n, err := Parse([]byte(c.in[:i])); err != nil || n != 0 || h != (Header{}) {
				t.Errorf("%s: its first %d bytes: %+v, %d, %v", c.name, i, h, n, err)
			}
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	mixed := netip.MustParseAddrPort("[2001:db8::2]:80")
	for _, h := range []Header{{Src: src4, Dst: dst4}, {Src: src6, Dst: dst6}, {Src: src4, Dst: mixed}, {Src: src4, Dst: dst4, TLS: true}} {
		for version := 1; version <= 2; version++ {
			b := Append(nil, version, &h)
			got, n, err := Parse(b)
			want := h
			want.TLS = h.TLS && version == 2
			if err != nil || n != len(b) || got != want {
				t.Errorf("version %d of %+v: %q became %+v, %v", version, h, b, got, err)
			}
		}
	}
}

// Whatever comes: no panic, no more than what is there, and the same answer for a header however it is cut.
func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		if n > len(b) || n > MaxLen || n < 0 || (err != nil || n == 0) && h != (Header{}) {
			t.Fatalf("%+v, %d, %v", h, n, err)
		}
		if err == nil && n == 0 && len(b) > MaxLen {
			t.Fatalf("%d bytes are not enough", len(b))
		}
		if n > 0 {
			for i := range n {
				if _, n, err := Parse(b[:i]); n != 0 || err != nil {
					t.Fatalf("its first %d bytes: %d, %v", i, n, err)
				}
			}
			if !h.Local {
				again, _, err := Parse(Append(nil, 2, &h))
				if err != nil || again != h {
					t.Fatalf("%+v written and read: %+v, %v", h, again, err)
				}
			}
		}
		if bytes.HasPrefix(b, signature2) && err != nil && len(b) < fixed2 {
			t.Fatal("judged too early")
		}
	})
}
