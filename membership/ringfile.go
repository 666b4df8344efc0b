package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/memberlist"
)

// A ring file has two slots of ringSlot bytes, written in turn, so that a crash in the middle of a write leaves the
// other one whole: the process that writes may not make or rename files. A slot holds the line ringHead, a number that
// grows with each write (8 bytes), the base (32), the number of keys (1), each key with its length (1) in front, and
// the SHA-256 of all that.
const (
	ringSlot = 1024
	ringHead = "tandem ring 1\n"
)

// ringState is what a slot holds.
type ringState struct {
	seq  uint64 // 0: nothing
	base [sha256.Size]byte
	keys [][]byte
}

func encodeRing(s ringState) []byte {
	b := binary.BigEndian.AppendUint64([]byte(ringHead), s.seq)
	b = append(append(b, s.base[:]...), byte(len(s.keys)))
	for _, k := range s.keys {
		b = append(append(b, byte(len(k))), k...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeRing reads a slot; what stands behind it is not looked at. Its errors show nothing of it.
func decodeRing(slot []byte) (ringState, error) {
	var s ringState
	rest, ok := bytes.CutPrefix(slot, []byte(ringHead))
	if !ok || len(rest) < 8+len(s.base)+1 {
		return s, errors.New("it is no list of gossip keys")
	}
	s.seq = binary.BigEndian.Uint64(rest)
	rest = rest[8:]
	rest = rest[copy(s.base[:], rest):]
	n := int(rest[0])
	rest = rest[1:]
	if s.seq == 0 || n == 0 || n > MaxKeys {
		return ringState{}, errors.New("it is no list of gossip keys")
	}
	for range n {
		if len(rest) == 0 || int(rest[0]) > len(rest)-1 {
			return ringState{}, errors.New("it ends within a key")
		}
		key := rest[1 : 1+int(rest[0])]
		if memberlist.ValidateKey(key) != nil {
			return ringState{}, errors.New("a key in it has a wrong length")
		}
		s.keys, rest = append(s.keys, bytes.Clone(key)), rest[1+len(key):]
	}
	sum := sha256.Sum256(slot[:len(slot)-len(rest)])
	if !bytes.HasPrefix(rest, sum[:]) {
		return ringState{}, errors.New("it was written in part only")
	}
	return s, nil
}

// readRing returns the newest whole slot; none in an empty file.
func readRing(f *os.File) (ringState, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 2*ringSlot))
	if err != nil || len(b) == 0 {
		return ringState{}, err
	}
	newest, err := decodeRing(b[:min(len(b), ringSlot)])
	if len(b) > ringSlot {
		if other, err2 := decodeRing(b[ringSlot:]); err2 == nil && other.seq > newest.seq {
			newest, err = other, nil
		} else if newest.seq > 0 {
			err = nil
		}
	}
	return newest, err
}

// writeRing puts s into the slot whose turn it is, on the disk.
func writeRing(f *os.File, s ringState) error {
	slot := make([]byte, ringSlot)
	copy(slot, encodeRing(s))
	if _, err := f.WriteAt(slot, int64((s.seq+1)%2)*ringSlot); err != nil {
		return fmt.Errorf("write the gossip keys: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the gossip keys: %w", err)
	}
	return nil
}
