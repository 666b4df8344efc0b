package lbcore

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAHopNamesItsClient(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":   "for=192.0.2.1;proto=https",
		"2001:db8::1": `for="[2001:db8::1]";proto=https`,
	} {
		if got := string(appendHop(nil, netip.MustParseAddr(addr), []byte("https"))); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestWhatABackendCannotBeToldIsRefused(t *testing.T) {
	_, err := FrontendConfig{
		Name: "http", Listeners: []int{3}, Forwarded: "x", Via: "a b",
		Trusted: []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("::ffff:10.0.0.0/104")},
	}.withDefaults()
	mustSay(t, err, `forwarded "x"`, `via "a b"`, "trusted invalid Prefix", "trusted 10.0.0.1/8", "trusted ::ffff:10.0.0.0/104")
	_, err = FrontendConfig{
		Name: "http", Listeners: []int{3}, Via: strings.Repeat("v", MaxVia+1), Trusted: make([]netip.Prefix, MaxTrusted+1),
	}.withDefaults()
	mustSay(t, err, "at most 64", "at most 100")
	f, err := FrontendConfig{Name: "http", Listeners: []int{3}}.withDefaults()
	if err != nil || f.Forwarded != ForwardedX {
		t.Errorf("%q, %v", f.Forwarded, err)
	}
}
