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
		if filepath.Base(file) == "agent.toml" {
			_, err = ParseAgent(file, data, readTestKey)
		} else {
			_, err = Parse(file, data, readTestKey)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
