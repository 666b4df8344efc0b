package vip

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTablesHaveCleanBoundedStableAndDistinctNames(t *testing.T) {
	clean := regexp.MustCompile(`^tandem_[a-z0-9_]{1,32}$`)
	seen := map[string]string{}
	for _, group := range []string{
		"", "web", "web_1", "web-1", "web.1", "Web", "wéb", "192.168.42.42", "fd77::100", "a; flush ruleset", strings.Repeat("x", 32),
		strings.Repeat("x", 33), strings.Repeat("x", 300), strings.Repeat("x", 299) + "y", "\x00", "\xff",
	} {
		name := tableName(group)
		if !clean.MatchString(name) {
			t.Errorf("group %q has table %q", group, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("groups %q and %q share table %q", group, other, name)
		}
		if name != tableName(group) {
			t.Errorf("the name of %q is not stable", group)
		}
		seen[name] = group
	}
	if got := tableName("web"); got != "tandem_web" {
		t.Errorf("a plain name was changed: %q", got)
	}
}

func TestANodeSpeaksAsItsAddressInTheSubnetOrItsLinkLocalOne(t *testing.T) {
	p := netip.MustParsePrefix
	ifi := Interface{Addr: p("10.0.0.1/8"), Own: []netip.Prefix{
		p("10.77.0.100/32"), p("192.168.1.1/24"), p("10.0.0.1/8"), p("10.77.0.1/24"),
		p("fd77::100/128"), p("fe80::1/64"), p("2001:db8::1/64"), p("fd77::1/64"),
	}}
	for target, want := range map[string]string{
		"192.168.1.9": "192.168.1.1", "10.9.9.9": "10.0.0.1", "fd77::9": "fe80::1", "172.16.0.1": "10.0.0.1",
	} {
		if got := ifi.ownFor(netip.MustParseAddr(target)); got.String() != want {
			t.Errorf("to %s as %s, want %s", target, got, want)
		}
	}
	ifi.Own = slices.DeleteFunc(ifi.Own, func(own netip.Prefix) bool { return own.Addr().IsLinkLocalUnicast() })
	for target, want := range map[string]string{"fd77::9": "fd77::1", "fd99::9": "2001:db8::1"} {
		if got := ifi.ownFor(netip.MustParseAddr(target)); got.String() != want {
			t.Errorf("without a link-local address: to %s as %s, want %s", target, got, want)
		}
	}
	alone := Interface{Own: []netip.Prefix{p("10.77.0.100/32"), p("fd77::100/128")}}
	for target, want := range map[string]netip.Addr{
		"10.77.0.100": {}, "10.77.0.101": netip.MustParseAddr("10.77.0.100"), "fd77::9": {},
	} {
		if got := alone.ownFor(netip.MustParseAddr(target)); got != want {
			t.Errorf("alone: to %s as %s, want %s", target, got, want)
		}
	}
}
