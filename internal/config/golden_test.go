package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew; read the diff before you commit")

// Each testdata/NAME.toml is wrong in the ways its name says, as is each
// testdata/agent/NAME.toml of an agent; NAME.golden is what the user gets to read.
func TestErrorsReadAsInTheGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.toml")
	agents, _ := filepath.Glob("testdata/agent/*.toml")
	files = append(files, agents...)
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(agents, file) {
				_, err = ParseAgent(filepath.Base(file), data, readTestKey)
			} else {
				_, err = Parse(filepath.Base(file), data, readTestKey)
			}
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("got %v, want Errors", err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".toml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("- want, + got (go test ./internal/config -update writes it anew):\n%s", diff)
			}
		})
	}
}
