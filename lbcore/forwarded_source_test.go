package lbcore

import (
	"net/netip"
	"testing"
)

type lines [][2]string

// NumFields implements route.Fields.
func (l lines) NumFields() int { return len(l) }

// Field implements route.Fields.
func (l lines) Field(i int) (name, value []byte) { return []byte(l[i][0]), []byte(l[i][1]) }

// The last one whom nobody trusted vouches for is who asks, whatever else is claimed.
func TestWhoseRequestItIs(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	const peer = "10.0.0.1"
	for _, tc := range []struct {
		form, peer string
		fields     lines
		want       string
	}{
		{ForwardedX, "192.0.2.1", lines{{"X-Forwarded-For", "6.6.6.6"}}, "192.0.2.1"},
		{ForwardedX, peer, nil, peer},
		{ForwardedX, peer, lines{{"x-forwarded-for", "192.0.2.7"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "6.6.6.6, 192.0.2.7"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "6.6.6.6, 192.0.2.7 , 10.9.9.9"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "6.6.6.6"}, {"Via", "x"}, {"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-For", "10.9.9.9"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "10.1.1.1, 10.9.9.9"}}, "10.1.1.1"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "192.0.2.7, unknown"}}, peer},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "192.0.2.7, "}}, peer},
		{ForwardedX, peer, lines{{"X-Forwarded-For", ""}}, peer},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "192.0.2.7:4711"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "[2001:db9::1]:4711"}}, "2001:db9::1"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "2001:db9::1"}}, "2001:db9::1"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "::ffff:192.0.2.7"}}, "192.0.2.7"},
		{ForwardedX, peer, lines{{"X-Forwarded-For", "fe80::1%eth0"}}, peer},
		{ForwardedX, "2001:db8::1", lines{{"X-Forwarded-For", "2001:db9::7, 2001:db8::2"}}, "2001:db9::7"},
		{ForwardedX, peer, lines{{"Forwarded", "for=192.0.2.7"}}, peer},
		{ForwardedBoth, peer, lines{{"Forwarded", "for=6.6.6.6"}, {"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7"},
		{ForwardedNone, peer, lines{{"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7"},
		{ForwardedStandard, peer, lines{{"X-Forwarded-For", "6.6.6.6"}, {"Forwarded", "for=6.6.6.6, proto=https;For=192.0.2.7"}}, "192.0.2.7"},
		{ForwardedStandard, peer, lines{{"Forwarded", `for="[2001:db9::1]:80";by=10.0.0.1, for="[2001:db8::2]"`}}, "2001:db9::1"},
		{ForwardedStandard, peer, lines{{"Forwarded", "for=_hidden"}}, peer},
		{ForwardedStandard, peer, lines{{"Forwarded", "proto=https"}}, peer},
	} {
		tell := newTelling(&FrontendConfig{Forwarded: tc.form, Trusted: trusted})
		if got := tell.source(netip.MustParseAddr(tc.peer), tc.fields); got != netip.MustParseAddr(tc.want) {
			t.Errorf("%s, %v from %s: %v, want %s", tc.form, tc.fields, tc.peer, got, tc.want)
		}
	}
}
