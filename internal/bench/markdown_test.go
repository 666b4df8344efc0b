package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASavedReportMakesTheTableOfItsRun(t *testing.T) {
	var run, json, saved strings.Builder
	if err := sample().writeMarkdown(&run); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.md", run.String())
	if err := writeJSON(&json, sample()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "run.json")
	if err := os.WriteFile(file, []byte(json.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := printTables([]string{file}, &saved); err != nil {
		t.Fatal(err)
	}
	if saved.String() != run.String() {
		t.Errorf("the file's table is another one:\n%s", saved.String())
	}
}

func TestOverloadsHaveATableToo(t *testing.T) {
	x := Overload{
		Began: sample().Began, Command: "bench overload", Commit: "4b59c23", Kernel: "6.18.0", Stack: "tandem", Loops: 8, CPUs: 2, Minutes: 10,
		Quota: 0.5, Claims: 0, WorstMS: 14.3, NoneMS: 30, Requests: 300000, Failed: 2,
	}
	peer := x
	peer.Stack, peer.Takeovers, peer.Claims, peer.WorstMS, peer.Quota = "keepalived-1s", 1, -1, -1, 0
	var json, saved strings.Builder
	if err := writeJSON(&json, []Overload{x, peer}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overload.json")
	if err := os.WriteFile(file, []byte(json.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := printTables([]string{file}, &saved); err != nil {
		t.Fatal(err)
	}
	golden(t, "overload.md", saved.String())
}

func TestATableOfSomethingElseIsRefused(t *testing.T) {
	files := [][]string{nil, {"/nowhere"}}
	for _, text := range []string{"[]", "[1]", "{}", "stack"} {
		file := filepath.Join(t.TempDir(), "other.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, []string{file})
	}
	for _, names := range files {
		var out strings.Builder
		if err := printTables(names, &out); err == nil || out.String() != "" {
			t.Errorf("%q: %v, %q", names, err, out.String())
		}
	}
}
