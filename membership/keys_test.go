package membership_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

var oldKey, newKey = bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)

// keyed gives a member keys, and a file that keeps them.
func keyed(t *testing.T, path string, keys ...[]byte) func(*membership.Config) {
	return func(cfg *membership.Config) {
		cfg.Keys = keys
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cfg.RingFile = f
	}
}

// holds returns "name:keys" of a report: o and n for the old and the new key, the one that encrypts first.
func holds(r membership.KeyReport, oldPrint, newPrint string) string {
	var all []string
	for _, h := range r.Holders {
		text := strings.NewReplacer(oldPrint, "o", newPrint, "n").Replace(strings.Join(h.Keys, ""))
		if h.Err != nil {
			text = "error"
		}
		all = append(all, h.Name+":"+text)
	}
	return strings.Join(all, " ")
}

func TestKeysAreRotatedWhileEverybodyStays(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, func(t *testing.T, w *world) {
		ring := func(name string) func(*membership.Config) { return keyed(t, filepath.Join(dir, name), oldKey) }
		lb1 := w.start("lb1", 11, bothSeeds, ring("lb1"))
		lb2 := w.start("lb2", 12, bothSeeds, ring("lb2"))
		s1 := w.start("s1", 21, bothSeeds, ring("s1"))
		all := "lb1:alive lb2:alive s1:alive"
		w.agree(2*time.Second, all, lb1, lb2, s1)
		r, err := lb1.ListKeys(t.Context())
		if err != nil || len(r.Holders) != 3 || len(r.Holders[0].Keys) != 1 {
			t.Fatalf("ListKeys() = %+v, %v", r, err)
		}
		oldPrint := r.Holders[0].Keys[0]
		newPrint, r, err := lb1.AddKey(t.Context(), newKey)
		if got := holds(r, oldPrint, newPrint); err != nil || got != "lb1:on lb2:on s1:on" {
			t.Fatalf("AddKey: %s, %v", got, err)
		}
		if _, err := lb2.RemoveKey(t.Context(), oldPrint); !errors.Is(err, membership.ErrKeyOrder) {
			t.Errorf("the key that encrypts is removed: %v", err)
		}
		if r, err = lb2.UseKey(t.Context(), newPrint); err != nil || holds(r, oldPrint, newPrint) != "lb1:no lb2:no s1:no" {
			t.Fatalf("UseKey: %s, %v", holds(r, oldPrint, newPrint), err)
		}
		if r, err = lb1.RemoveKey(t.Context(), oldPrint); err != nil || holds(r, oldPrint, newPrint) != "lb1:n lb2:n s1:n" {
			t.Fatalf("RemoveKey: %s, %v", holds(r, oldPrint, newPrint), err)
		}
		time.Sleep(time.Minute)
		for _, n := range []*node{lb1, lb2, s1} {
			if got := strings.Join(n.heard(), " "); strings.Contains(got, "failed") {
				t.Errorf("%s heard %s", n.addr, got)
			}
		}
		// Restarted with the key file of old, a member goes on with what was kept.
		s1.crash()
		s1 = w.start("s1", 21, bothSeeds, ring("s1"))
		w.agree(2*time.Second, all, lb1, lb2, s1)
		// One that kept nothing has the old key only, and is out.
		w.start("s2", 22, bothSeeds, func(cfg *membership.Config) { cfg.Keys = [][]byte{oldKey} })
		time.Sleep(5 * time.Second)
		w.agree(0, all, lb1, lb2, s1)
		for _, key := range [][]byte{oldKey, newKey} {
			for _, form := range []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key)} {
				if strings.Contains(w.logs(), form) {
					t.Error("a log holds a key")
				}
			}
		}
	})
}

func TestAKeyThatSomebodyLacksIsNotUsed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		one := func(cfg *membership.Config) { cfg.Keys = [][]byte{oldKey} }
		lb1 := w.start("lb1", 11, bothSeeds, one)
		s1 := w.start("s1", 21, bothSeeds, one)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		newPrint, r, err := lb1.AddKey(t.Context(), newKey)
		if err != nil || r.Holders[0].Kept {
			t.Fatalf("AddKey: %+v, %v; want it not kept, for want of a file", r, err)
		}
		s2 := w.start("s2", 22, bothSeeds, one) // late: it was not told
		w.agree(2*time.Second, "lb1:alive s1:alive s2:alive", lb1, s1, s2)
		if _, err := lb1.UseKey(t.Context(), newPrint); !errors.Is(err, membership.ErrKeyOrder) || !strings.Contains(err.Error(), "s2;") {
			t.Errorf("UseKey: %v, want ErrKeyOrder naming s2", err)
		}
		if _, _, err := lb1.AddKey(t.Context(), newKey); err != nil {
			t.Fatal(err)
		}
		w.net.Partition([]string{lb1.addr}, []string{s1.addr})
		if _, err := lb1.UseKey(t.Context(), newPrint); !errors.Is(err, membership.ErrKeyOrder) || !strings.Contains(err.Error(), "s1 (") {
			t.Errorf("UseKey: %v, want ErrKeyOrder naming s1, who is silent", err)
		}
		w.net.Heal()
		w.agree(15*time.Second, "lb1:alive s1:alive s2:alive", lb1, s1, s2)
		r, err = lb1.UseKey(t.Context(), newPrint)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range r.Holders {
			if h.Keys[0] != newPrint {
				t.Errorf("%s encrypts with %s", h.Name, h.Keys[0])
			}
		}
		s2.crash()
		w.agree(15*time.Second, "lb1:alive s1:alive s2:failed", lb1)
		if r, err = lb1.ListKeys(t.Context()); err != nil || len(r.Failed) != 1 || r.Failed[0] != "s2" {
			t.Errorf("ListKeys() = %+v, %v; want s2 named as failed", r, err)
		}
	})
}

func TestAnAgentGivesNoOrdersAboutKeys(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		one := func(cfg *membership.Config) { cfg.Keys = [][]byte{oldKey} }
		lb1 := w.start("lb1", 11, bothSeeds, one)
		s1 := w.start("s1", 21, bothSeeds, one)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		if _, r, err := s1.AddKey(t.Context(), newKey); err == nil || !strings.Contains(err.Error(), "only a balancer") {
			t.Errorf("an agent's order: %+v, %v", r, err)
		}
		if r, err := lb1.ListKeys(t.Context()); err != nil || len(r.Holders[0].Keys) != 1 || lb1.Stats().RefusedOrders == 0 {
			t.Errorf("lb1 holds %+v, %v, %+v", r.Holders, err, lb1.Stats())
		}
	})
}

func TestWithoutEncryptionThereAreNoKeys(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, nil, nil)
		if _, err := lb1.ListKeys(t.Context()); !errors.Is(err, membership.ErrNotEncrypted) {
			t.Errorf("ListKeys: %v", err)
		}
		if _, _, err := lb1.AddKey(t.Context(), newKey); err == nil {
			t.Error("a key was added")
		}
	})
}
