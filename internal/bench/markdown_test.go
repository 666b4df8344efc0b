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

func TestATableOfSomethingElseIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.json")
	if err := os.WriteFile(file, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, files := range [][]string{nil, {file}, {"/nowhere"}} {
		var out strings.Builder
		if err := printTables(files, &out); err == nil || out.String() != "" {
			t.Errorf("%q: %v, %q", files, err, out.String())
		}
	}
}
