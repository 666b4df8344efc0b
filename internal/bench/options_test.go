package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCommandLineIsUnderstood(t *testing.T) {
	for _, tc := range []struct {
		line, faults, peers string
		n                   int
	}{
		{"failover", strings.Join(faultNames(), ","), "", 10},
		{"failover -n 3 --fault stop,power-loss --json", "stop,power-loss", "", 3},
		{"failover --peer keepalived", strings.Join(faultNames(), ","), "keepalived-1s,keepalived-0.1s,keepalived-0.01s-rt", 10},
		{"overload --peer keepalived-1s --minutes 0.5", strings.Join(faultNames(), ","), "keepalived-1s", 0},
	} {
		var said strings.Builder
		o, err := parseOptions(strings.Fields(tc.line), &said)
		if err != nil || said.String() != "" {
			t.Errorf("%s: %v, %q", tc.line, err, said.String())
		}
		want := []string{tc.faults, tc.peers}
		if d := cmp.Diff(want, []string{strings.Join(o.faults, ","), strings.Join(o.peers, ",")}); d != "" || o.n != tc.n {
			t.Errorf("%s: n %d, %s", tc.line, o.n, d)
		}
	}
}

func TestAWrongCommandLineIsRefusedWithItsReason(t *testing.T) {
	for line, want := range map[string]string{
		"":                          "usage:",
		"fail":                      "usage:",
		"failover --fault fire":     `no fault is called "fire"; there are nothing, `,
		"failover --peer ucarp":     `no peer is called "ucarp"`,
		"failover -n 0":             "begin above 0",
		"failover power-loss":       `["power-loss"] is too much`,
		"overload --minutes -1":     "begin above 0",
		"overload --fault stop":     "flag provided but not defined: -fault",
		"failover --n=ten":          `invalid value "ten"`,
		"failover --fault stop,":    `no fault is called ""`,
		"failover --interval 5":     `"5" is no interval`,
		"failover --peer ,keepaliv": `no peer is called ""`,
	} {
		var said strings.Builder
		if _, err := parseOptions(strings.Fields(line), &said); err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%q: %v, said %q, want %q", line, err, said.String(), want)
		}
	}
}
