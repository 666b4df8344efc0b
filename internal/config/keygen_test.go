package config

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

func TestTheTwoKeysOfAClusterBelongTogether(t *testing.T) {
	dir := t.TempDir()
	gossip, balancer := filepath.Join(dir, "g"), filepath.Join(dir, "b")
	if err := WriteKeys(gossip, balancer); err != nil {
		t.Fatal(err)
	}
	a, err := LoadAgent("", AgentFlags{Pools: []string{"web"}, Ports: []string{"3000"}, Join: []string{"lb1"}, GossipKeyFile: gossip})
	if err != nil || len(a.Keys) != 1 || len(a.Balancers) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	keys, err := ReadKeys("--balancer-key-file", balancer)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("a question")
	if !ed25519.Verify(a.Balancers[0], text, ed25519.Sign(ProofKey(keys[0]), text)) {
		t.Error("the agent would not know this cluster's balancers")
	}
	if ed25519.Verify(a.Balancers[0], text, ed25519.Sign(ProofKey(a.Keys[0]), text)) {
		t.Error("the gossip key does as well")
	}
	for _, bad := range []string{"balancer", "balancer ", "balancer x", "balancer AAAA", strings.Repeat(PublicLine(keys[0])+"\n", maxKeys+1)} {
		if _, _, err := parseKeys([]byte(bad)); err == nil {
			t.Errorf("%.20q was taken", bad)
		}
	}
	if err := WriteKeys(filepath.Join(dir, "other"), balancer); err == nil {
		t.Error("a balancer key was written over another")
	}
}
