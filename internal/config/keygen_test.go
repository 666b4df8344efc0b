package config

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestAKeyIsWrittenForItsOwnerAloneAndNeverOver(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	var keys [][]byte
	for _, path := range []string{a, b} {
		if err := WriteKey(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKeys("--gossip-key-file", path)
		if err != nil || len(got) != 1 || len(got[0]) != 32 {
			t.Fatalf("ReadKeys: %d keys, %v", len(got), err)
		}
		keys = append(keys, got[0])
	}
	if bytes.Equal(keys[0], keys[1]) {
		t.Error("two keys are the same")
	}
	if st, err := os.Stat(a); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := WriteKey(a); err == nil {
		t.Error("a key was written over another")
	}
	if got, err := ReadKeys("--gossip-key-file", a); err != nil || !bytes.Equal(got[0], keys[0]) {
		t.Errorf("the key has changed, or %v", err)
	}
}
