package membership

import (
	"net/netip"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestAVIPIsNotAdvertisedWhileThereIsAnotherAddress(t *testing.T) {
	for _, tc := range []struct {
		what string
		own  []netip.Prefix
		want string
	}{
		{"a VIP before the own address", prefixes("127.0.0.1/8", "192.168.42.42/32", "192.168.42.11/24"), "192.168.42.11"},
		{"IPv4 before IPv6", prefixes("fd00::1/64", "10.0.0.1/8"), "10.0.0.1"},
		{"only IPv6, and a VIP of it", prefixes("fe80::1/64", "fd00::42/128", "fd00::1/64"), "fd00::1"},
		{"a cloud that gives host addresses only", prefixes("127.0.0.1/8", "10.132.0.2/32"), "10.132.0.2"},
		{"an IPv6 host with an IPv4 VIP", prefixes("192.168.42.42/32", "fd00::1/64"), "fd00::1"},
		{"nothing", prefixes("127.0.0.1/8", "fe80::1/64"), ""},
	} {
		got, ok := bestOf(tc.own)
		if ok != (tc.want != "") || ok && got.String() != tc.want {
			t.Errorf("%s: %v %v, want %s", tc.what, got, ok, tc.want)
		}
	}
}

func TestTheKernelsChoiceOfSourceIsTakenUnlessItIsAVIP(t *testing.T) {
	own := prefixes("127.0.0.1/8", "192.168.42.42/32", "192.168.42.11/24", "10.0.0.1/8")
	for from, want := range map[string]bool{
		"192.168.42.11": true, "10.0.0.1": true, "192.168.42.42": false, "127.0.0.1": true,
	} {
		if got := plausible(netip.MustParseAddr(from), own); got != want {
			t.Errorf("%s: %v, want %v", from, got, want)
		}
	}
	if !plausible(netip.MustParseAddr("10.132.0.2"), prefixes("10.132.0.2/32")) {
		t.Error("the only address was refused")
	}
}

func TestTheAddressThatIsNamedIsTheOneAdvertised(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{Advertise: netip.MustParseAddr("::ffff:10.0.0.5"), Bind: netip.MustParseAddrPort("127.0.0.1:0")}, "10.0.0.5"},
		{Config{Bind: netip.MustParseAddrPort("127.0.0.7:0")}, "127.0.0.7"},
		{Config{Bind: netip.MustParseAddrPort("0.0.0.0:0"), Seeds: []string{"a-name", "127.0.0.1"}}, "127.0.0.1"},
	} {
		if got, err := chooseAdvertise(tc.cfg); err != nil || got.String() != tc.want {
			t.Errorf("got %v, %v; want %s", got, err, tc.want)
		}
	}
}
