package membership

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testKey(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 16+8*(i%3)) }

func ringAt(t *testing.T, path string, keys ...[]byte) *ring {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, _ := openRing(keys, f)
	return r
}

func TestARingIsKeptUntilTheKeyFileSaysOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	a, b, c := testKey(1), testKey(2), testKey(3)
	r := ringAt(t, path, a)
	for _, err := range []error{r.add(b), r.use(fingerprint(b)), r.remove(fingerprint(a))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{fingerprint(b)}
	if got, kept := ringAt(t, path, a).list(); !slices.Equal(got, want) || !kept {
		t.Errorf("the next run holds %v, %v", got, kept)
	}
	// A crash in the middle of the next write: the slot whose turn it is is torn.
	torn, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	turn := int(r.seq % 2 * ringSlot)
	copy(torn[turn:], encodeRing(ringState{seq: r.seq + 1, base: r.base, keys: [][]byte{c}})[:60])
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := ringAt(t, path, a).list(); !slices.Equal(got, want) {
		t.Errorf("after a torn write the next run holds %v", got)
	}
	if got, _ := ringAt(t, path, c).list(); !slices.Equal(got, []string{fingerprint(c)}) {
		t.Errorf("the key file has changed, and the next run holds %v", got)
	}
}

func TestARingHoldsSixteenKeysAndAtLeastOne(t *testing.T) {
	r := ringAt(t, filepath.Join(t.TempDir(), "ring"), testKey(1))
	for i := 2; i <= MaxKeys; i++ {
		if err := r.add(testKey(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.add(testKey(40)); err == nil {
		t.Error("a 17th key was added")
	}
	if err := r.add(testKey(3)); err != nil {
		t.Errorf("one that is held is not added again: %v", err)
	}
	if err := r.remove(fingerprint(testKey(1))); err == nil {
		t.Error("the key that encrypts was removed")
	}
	if err := r.add([]byte("short")); err == nil {
		t.Error("a key of 5 bytes was added")
	}
	if err := r.use(fingerprint(testKey(40))); err == nil {
		t.Error("a key that is not held is used")
	}
}

// memberlist reads the keys without their lock: this runs under the race detector.
func TestKeysAreReadWhileOthersAreRemoved(t *testing.T) {
	r := ringAt(t, filepath.Join(t.TempDir(), "ring"), testKey(1))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, k := range r.keys.GetKeys() {
				if len(k) != 16+8*(int(k[0])%3) {
					t.Error("a key of two halves")
				}
			}
		}
	})
	for range 20 {
		for i := 2; i <= 6; i++ {
			if err := r.add(testKey(i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{3, 2, 6, 4, 5} {
			if err := r.remove(fingerprint(testKey(i))); err != nil {
				t.Fatal(err)
			}
			if got := r.fingerprints(); got[0] != fingerprint(testKey(1)) {
				t.Fatalf("%s encrypts", got[0])
			}
		}
		if n := len(r.fingerprints()); n != 1 {
			t.Fatalf("%d keys are left", n)
		}
	}
	close(stop)
	readers.Wait()
}

func FuzzRing(f *testing.F) {
	f.Add(encodeRing(ringState{seq: 7, keys: [][]byte{testKey(1), testKey(2)}}))
	f.Add([]byte(ringHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeRing(b)
		if err != nil {
			return
		}
		if again := encodeRing(s); !bytes.HasPrefix(b, again) || len(again) > ringSlot {
			t.Fatalf("%q became %q", b, again)
		}
	})
}

func FuzzOrder(f *testing.F) {
	f.Add(encodeOrder(order{7, "s1#mft2k9x1-AB", orderAddKey, testKey(1)}))
	f.Add(encodeReport(report{7, "no", encodeHolding([]string{fingerprint(testKey(1))}, true)}))
	f.Add(encodeUserEvent("deploy", []byte("v2")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOrder(b); err == nil {
			again, err := decodeOrder(encodeOrder(o))
			if diff := cmp.Diff(fmt.Sprint(o), fmt.Sprint(again)); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
		}
		if r, err := decodeReport(b); err == nil {
			again, err := decodeReport(encodeReport(r))
			if diff := cmp.Diff(fmt.Sprint(r), fmt.Sprint(again)); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
		}
		if prints, kept, err := decodeHolding(b); err == nil && !bytes.Equal(encodeHolding(prints, kept), b) {
			t.Fatalf("%q is not what is said of %v", b, prints)
		}
		if name, payload, err := decodeUserEvent(b); err == nil && (checkName(name) != nil || len(payload) > MaxEventPayload) {
			t.Fatalf("event %q with %d bytes", name, len(payload))
		}
	})
}
