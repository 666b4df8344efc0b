package nft

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Field is one part of a set's key, by nft's data types, so that nft can print it.
type Field struct {
	kind uint32 // of nft's data types; the kernel only carries it
	size int    // bytes in the packet
}

// Fields in use.
var (
	IPv4Addr = Field{kind: 7, size: 4}
	IPv6Addr = Field{kind: 8, size: 16}
	Service  = Field{kind: 13, size: 2}
)

// fieldBits is how much of a set's key type each field takes.
const fieldBits = 6

// KeySet is a set of keys to which rules may add ([AddTo]).
type KeySet struct {
	Name    string
	Key     []Field
	Timeout time.Duration // how long a key stays, in whole milliseconds; 0: for ever
	Size    uint32        // how many keys it holds at most; 0: as many as come
}

// KeySet adds an empty set to a table.
func (b *Batch) KeySet(f Family, table string, s KeySet) {
	var kind uint32
	length := 0
	for _, field := range s.Key {
		kind = kind<<fieldBits | field.kind
		length += padded(field.size)
	}
	flags := uint32(unix.NFT_SET_EVAL)
	if s.Timeout > 0 {
		flags |= unix.NFT_SET_TIMEOUT
	}
	id := uint32(len(b.msgs) + 1) // only has to be unlike the others of this batch
	b.add(f, unix.NFT_MSG_NEWSET, netlink.Create, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_SET_TABLE, table)
		ae.String(unix.NFTA_SET_NAME, s.Name)
		ae.Uint32(unix.NFTA_SET_FLAGS, flags)
		ae.Uint32(unix.NFTA_SET_KEY_TYPE, kind)
		ae.Uint32(unix.NFTA_SET_KEY_LEN, uint32(length))
		ae.Uint32(unix.NFTA_SET_ID, id)
		if s.Timeout > 0 {
			ae.Uint64(unix.NFTA_SET_TIMEOUT, uint64(s.Timeout.Milliseconds()))
		}
		if s.Size > 0 {
			ae.Nested(unix.NFTA_SET_DESC, func(ae *netlink.AttributeEncoder) error {
				ae.ByteOrder = binary.BigEndian
				ae.Uint32(unix.NFTA_SET_DESC_SIZE, s.Size)
				return nil
			})
		}
	})
}

// MaxElements is how many keys one call of Elements takes: the longest of them fit into one
// attribute of 64 KiB, and a batch of one such command into a socket's send buffer.
const MaxElements = 1000

// Elements adds keys, made by Key, to a set. One that is there already is no error.
func (b *Batch) Elements(f Family, table, set string, keys [][]byte) {
	if len(keys) > MaxElements && b.err == nil {
		b.err = fmt.Errorf("nft: %d keys in one command; at most %d fit", len(keys), MaxElements)
		return
	}
	b.add(f, unix.NFT_MSG_NEWSETELEM, netlink.Create, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		ae.String(unix.NFTA_SET_ELEM_LIST_SET, set)
		ae.Bytes(unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_LIST_ELEMENTS, encodeElements(keys))
	})
}

// encodeElements does by hand what three nested encoders for each of 100,000 keys would take
// three times as long for.
func encodeElements(keys [][]byte) (out []byte) {
	const header = unix.NLA_HDRLEN
	attr := func(length int, kind uint16) {
		out = binary.NativeEndian.AppendUint16(out, uint16(length))
		out = binary.NativeEndian.AppendUint16(out, kind)
	}
	for _, key := range keys { // padded already, as Key makes them
		attr(3*header+len(key), unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM)
		attr(2*header+len(key), unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_KEY)
		attr(header+len(key), unix.NFTA_DATA_VALUE)
		out = append(out, key...)
	}
	return out
}

// Key joins the values of a key's fields as the kernel keeps them: each begins at a
// multiple of four bytes.
func Key(values ...[]byte) []byte {
	var key []byte
	for _, v := range values {
		key = append(key, v...)
		key = append(key, make([]byte, padded(len(v))-len(v))...)
	}
	return key
}

func padded(size int) int { return (size + 3) &^ 3 }

// Load is where a packet has the value of one field.
type Load struct {
	Base   expr.PayloadBase
	Offset uint32
	Len    uint32
}

// AddTo adds the key that the packet has at these places to a set, and goes on unless the
// set is full.
func AddTo(set string, key ...Load) Part {
	return append(loadKey(key), Known(&expr.Dynset{
		SrcRegKey: keyReg, SetName: set, Operation: unix.NFT_DYNSET_OP_ADD,
	})...)
}

// In goes on if the set has the key that the packet has at these places.
func In(set string, key ...Load) Part {
	return append(loadKey(key), Known(&expr.Lookup{SourceRegister: keyReg, SetName: set})...)
}

// keyReg is the first of the registers of four bytes, which overlap reg.
const keyReg = 8 // NFT_REG32_00

func loadKey(key []Load) (p Part) {
	next := uint32(keyReg)
	for _, l := range key {
		p = append(p, Known(&expr.Payload{DestRegister: next, Base: l.Base, Offset: l.Offset, Len: l.Len})...)
		next += uint32(padded(int(l.Len)) / 4)
	}
	return p
}
