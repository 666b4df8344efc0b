package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
)

// MaxKeys is how many gossip keys a member holds at most: far more than a rotation needs.
const MaxKeys = 16

// fingerprintSize is the length of a fingerprint in bytes; as text it has twice as many characters.
const fingerprintSize = 8

// fingerprint names a key without telling it: what is printed, logged and sent about keys is this. A key is random, so
// it cannot be guessed from it.
func fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("tandem gossip key\n"), key...))
	return hex.EncodeToString(sum[:fingerprintSize])
}

// ring is this member's gossip keys, and the file that keeps them for its next run.
type ring struct {
	mu   sync.Mutex          // held by each change, its write to the file included
	keys *memberlist.Keyring // nil: gossip is not encrypted
	file *os.File            // nil: a change is lost with this run
	base [sha256.Size]byte   // of the keys that the Config gave
	seq  uint64              // of what the file holds
	kept bool                // the next run will have these keys
}

// openRing returns the ring to begin with: what an earlier run has kept, if it began with the same keys as this one.
// Other keys in the Config are the operator's newer word, and count in its place. note says what was chosen, if there
// was a choice.
func openRing(keys [][]byte, file *os.File) (r *ring, note string) {
	r = &ring{file: file, kept: true}
	if len(keys) == 0 {
		return r, ""
	}
	r.base = ringBase(keys)
	if file != nil {
		state, err := readRing(file)
		r.seq = state.seq
		switch {
		case err != nil:
			note = fmt.Sprintf("the kept gossip keys cannot be read (%v); using those of the key file", err)
		case state.seq > 0 && state.base == r.base:
			keys, note = state.keys, "using the gossip keys as they were rotated"
		case state.seq > 0:
			note = "the key file has changed since the gossip keys were rotated; using the key file"
		}
	}
	r.keys, _ = memberlist.NewKeyring(keys, keys[0]) // fails only on keys that complete and readRing refuse
	return r, note
}

// list returns the fingerprints, that of the key that encrypts first, and whether the next run will have these keys.
func (r *ring) list() (fingerprints []string, kept bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fingerprints(), r.kept
}

func (r *ring) fingerprints() []string {
	var all []string
	if r.keys != nil {
		for _, k := range r.keys.GetKeys() {
			all = append(all, fingerprint(k))
		}
	}
	return all
}

// Errors of a change; none names a key but by its fingerprint.
var (
	errNotEncrypted = errors.New("its gossip is not encrypted; give every member a key file and start it again")
	errRingFull     = fmt.Errorf("it holds %d keys, and no more fit; remove one", MaxKeys)
	errNotHeld      = errors.New("it does not hold that key; add it first")
	errPrimary      = errors.New("that key encrypts; use another one first")
)

// add makes key one that decrypts.
func (r *ring) add(key []byte) error {
	if err := memberlist.ValidateKey(key); err != nil {
		return fmt.Errorf("a gossip key has 16, 24 or 32 bytes, not %d", len(key))
	}
	return r.change(func() error {
		if len(r.keys.GetKeys()) >= MaxKeys && r.find(fingerprint(key)) == nil {
			return errRingFull
		}
		return r.keys.AddKey(slices.Clone(key))
	})
}

// use makes the key of that fingerprint the one that encrypts.
func (r *ring) use(print string) error {
	return r.change(func() error {
		key := r.find(print)
		if key == nil {
			return errNotHeld
		}
		return r.keys.UseKey(key)
	})
}

// remove drops a key. One that is not held is dropped already.
func (r *ring) remove(print string) error {
	return r.change(func() error {
		key := r.find(print)
		if key == nil {
			return nil
		}
		keys := r.keys.GetKeys()
		primary := keys[0]
		if bytes.Equal(key, primary) {
			return errPrimary
		}
		// Keyring.RemoveKey moves what stands behind the key, under the eyes of those who read without its lock; so the
		// key is brought to the end first. A key that encrypts meanwhile is one of the ring; what goes out in these
		// microseconds and cannot be read by somebody is lost like any packet.
		for i := len(keys) - 1; !bytes.Equal(keys[i], key); i-- {
			_ = r.keys.UseKey(keys[i]) // it is there
		}
		if err := r.keys.RemoveKey(key); err != nil {
			return err
		}
		return r.keys.UseKey(primary)
	})
}

// change changes the ring and keeps it. What cannot be kept counts all the same, and the error says so.
func (r *ring) change(how func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		return errNotEncrypted
	}
	before := r.fingerprints()
	if err := how(); err != nil {
		return err
	}
	if slices.Equal(before, r.fingerprints()) && r.kept {
		return nil
	}
	r.kept = false
	if r.file == nil {
		return nil
	}
	if err := writeRing(r.file, ringState{seq: r.seq + 1, base: r.base, keys: r.keys.GetKeys()}); err != nil {
		return fmt.Errorf("done, but it is not kept for its next run: %w", err)
	}
	r.seq++
	r.kept = true
	return nil
}

func (r *ring) find(print string) []byte {
	for _, k := range r.keys.GetKeys() {
		if fingerprint(k) == print {
			return k
		}
	}
	return nil
}

// ringBase tells one list of keys from another.
func ringBase(keys [][]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, k := range keys {
		sum := sha256.Sum256(k)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
