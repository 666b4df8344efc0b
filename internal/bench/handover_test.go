package main

import (
	"io"
	"strings"
	"testing"
)

func TestHandoverOptionsAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"": "",
		"--scenario crash,upgrade --peer keepalived": "",
		"--scenario earthquake":                      `no scenario is called "earthquake"`,
		"--peer nginx":                               "no peer is called",
		"--moves 0":                                  "nothing to do",
		"more":                                       "is too much",
	} {
		_, err := parseHandoverOptions(strings.Fields(args), io.Discard)
		if got := err; (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%q: %v, want %q", args, got, want)
		}
	}
}

func TestACrashHasATableOfItsOwn(t *testing.T) {
	r := HandoverReport{Handovers: []HandoverResult{
		{Scenario: "handovers", Stack: "tandem", Moves: 2, MovesMS: []float64{4, 6}, Requests: 10},
		{Scenario: crashName, Stack: "tandem", MovesMS: []float64{93}, BackMS: []float64{1, 2, 4}},
		{Scenario: crashName, Stack: "keepalived-1s", MovesMS: []float64{3152}, Hung: 20},
		{Scenario: crashName, Stack: "keepalived-1s", Error: "nobody is active"},
	}}
	var b strings.Builder
	if err := r.writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| tandem | 2: 4 / 5 / 6 | 0 of 10 |",
		"| tandem | 93 | 1 / 2 / 4 | 0 |\n",
		"| keepalived-1s | 3152 | – | 20 |\n",
		"| keepalived-1s | nobody is active | – | – |\n",
	} {
		if strings.Count(b.String(), line) != 1 {
			t.Errorf("%q is missing in\n%s", line, &b)
		}
	}
	if n := strings.Count(b.String(), "\n|---|"); n != 2 {
		t.Errorf("%d tables, want 2:\n%s", n, &b)
	}
}
