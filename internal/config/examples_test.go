package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheExamplesParse(t *testing.T) {
	files, err := filepath.Glob("../../deploy/examples/*.toml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(file, data, readTestKey); err != nil {
			t.Error(err)
		}
	}
}
