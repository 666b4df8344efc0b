package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheCommandLineOfAppsAndMembershipIsUnderstood(t *testing.T) {
	o, err := parseAppsOptions([]string{"-n", "2", "--peer", "serf", "--json"}, io.Discard)
	if err != nil || o.n != 2 || !o.json || strings.Join(o.peers, " ") != "serf haproxy" {
		t.Errorf("%+v, %v", o, err)
	}
	m, err := parseMembershipOptions([]string{"--agents", "50", "--part", "agents,fake"}, io.Discard)
	if err != nil || m.agents != 50 || !m.has("fake") || m.has("pool") || m.n != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, line := range []string{"-n 0", "--peer nginx", "more"} {
		if _, err := parseAppsOptions(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("apps %s was accepted", line)
		}
	}
	for _, line := range []string{"-n 0", "--agents 3", "--part all", "more"} {
		if _, err := parseMembershipOptions(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("membership %s was accepted", line)
		}
	}
}

func TestTheReportOfAppsIsATable(t *testing.T) {
	r := AppReport{Report: Report{Began: time.Unix(0, 0).UTC(), Commit: "abc", Command: "cmd"}}
	for _, ms := range []float64{80, 70, 90} {
		x := r.find("join", "tandem")
		x.Trials = append(x.Trials, AppTrial{FirstMS: ms, SlowMS: 10, Requests: 100})
	}
	x := r.find("leave", "serf + haproxy")
	x.Trials = []AppTrial{{Failed: 7, Requests: 100, LastMS: 40, SlowMS: 5}, {Error: "no"}}
	r.sum()
	if r.Apps[0].Event != "leave" || r.Apps[0].N != 1 || r.Apps[0].Broken != 1 || r.Apps[1].FirstMS.Median != 80 {
		t.Errorf("%+v", r.Apps)
	}
	var b strings.Builder
	if err := r.writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| **leave**: the app is stopped in order | serf + haproxy | 1 (1 not carried out) | – | 7 of 100 | 40 / 40 | 5 / 5 |",
		"| **join**: it is started | tandem | 3 | 70 / 80 / 90 | 0 of 300 | 0 / 0 | 10 / 10 |",
	} {
		if !strings.Contains(b.String(), row) {
			t.Errorf("no row %q in\n%s", row, b.String())
		}
	}
}

func TestTheReportOfMembershipComparesPools(t *testing.T) {
	r := CrowdReport{Crowds: []Crowd{{Agents: 9, Phases: []Phase{{Name: "join", Members: 12, TookS: 1.25, Usage: map[string]Usage{"control": {0.5, 30}}}}}}}
	for _, us := range []float64{10, 12, 11, 20, 30, 28} {
		p := poolCases[len(r.Pools)%len(poolCases)]
		p.PerUS = us
		r.Pools = append(r.Pools, p)
	}
	if a, b := r.ratio(r.Pools[1]), r.ratio(r.Pools[4]); a != "1.20" || b != "1.50" {
		t.Errorf("ratios %s and %s", a, b)
	}
	var b strings.Builder
	if err := r.writeMarkdown(&b); err != nil || !strings.Contains(b.String(), "| they join at once | 12 | 1.2 |") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestWhatGoTestPrintsIsRead(t *testing.T) {
	got := costsIn("goos: linux\nBenchmarkPoolSet/3-2 \t     200\t     20351 ns/op\nBenchmarkPick/roundrobin/5000 \t 20000\t 30.5 ns/op\nPASS\n")
	if d := cmp.Diff([]Cost{{"PoolSet/3", 20351}, {"Pick/roundrobin/5000", 30.5}}, got); d != "" {
		t.Error(d)
	}
}
