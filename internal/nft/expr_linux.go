package nft

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Part is a piece of a rule: expressions in order, each of which goes on, ends the rule, or
// decides.
type Part []expression

// expression is one expression as the kernel reads it.
type expression interface {
	encode(f Family) ([]byte, error)
}

// Known makes a Part of google/nftables' expressions.
func Known(exprs ...expr.Any) Part {
	var p Part
	for _, e := range exprs {
		p = append(p, known{e})
	}
	return p
}

type known struct{ expr.Any }

func (k known) encode(f Family) ([]byte, error) { return expr.Marshal(byte(f), k.Any) }

// Verdicts.
var (
	Drop   = Known(&expr.Verdict{Kind: expr.VerdictDrop})
	Accept = Known(&expr.Verdict{Kind: expr.VerdictAccept})
)

// reg is the register that the parts of this file work in; none leaves a value behind.
const reg = 1 // NFT_REG_1

// Link, network and transport headers, for Equal, NotEqual and Set.
const (
	LinkHeader      = expr.PayloadBaseLLHeader
	NetworkHeader   = expr.PayloadBaseNetworkHeader
	TransportHeader = expr.PayloadBaseTransportHeader
)

// Equal goes on if the packet has want at an offset of a header.
func Equal(base expr.PayloadBase, offset uint32, want []byte) Part {
	return compare(expr.CmpOpEq, base, offset, want)
}

// NotEqual goes on if it does not.
func NotEqual(base expr.PayloadBase, offset uint32, want []byte) Part {
	return compare(expr.CmpOpNeq, base, offset, want)
}

func compare(op expr.CmpOp, base expr.PayloadBase, offset uint32, want []byte) Part {
	return Known(
		&expr.Payload{DestRegister: reg, Base: base, Offset: offset, Len: uint32(len(want))},
		&expr.Cmp{Op: op, Register: reg, Data: want},
	)
}

// Protocol goes on if the packet's transport protocol, behind extension headers, is p.
func Protocol(p byte) Part {
	return Known(
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: []byte{p}},
	)
}

// FromInterface goes on if the packet came in by an interface whose name begins so.
func FromInterface(prefix string) Part { return interfaceName(expr.MetaKeyIIFNAME, prefix) }

// ToInterface goes on if the packet leaves by an interface whose name begins so.
func ToInterface(prefix string) Part { return interfaceName(expr.MetaKeyOIFNAME, prefix) }

func interfaceName(key expr.MetaKey, prefix string) Part {
	return Known(
		&expr.Meta{Key: key, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: []byte(prefix)},
	)
}

// Set overwrites a field of a header that no checksum covers.
func Set(base expr.PayloadBase, offset uint32, value []byte) Part {
	return Known(
		&expr.Immediate{Register: reg, Data: value},
		&expr.Payload{
			OperationType: expr.PayloadWrite, SourceRegister: reg, Base: base, Offset: offset, Len: uint32(len(value)),
		},
	)
}

// SetPseudo overwrites a field of the network header that the transport checksum covers
// (its pseudo-header), and mends the checksum.
func SetPseudo(offset uint32, value []byte) Part {
	return append(Known(&expr.Immediate{Register: reg, Data: value}),
		pseudo{offset: offset, length: uint32(len(value))})
}

// pseudo writes the register's value to the network header. google/nftables leaves its
// checksum flag out, and the packet would go out with a wrong one.
type pseudo struct{ offset, length uint32 }

const mendPseudo = 1 // NFT_PAYLOAD_L4CSUM_PSEUDOHDR, linux/netfilter/nf_tables.h

func (p pseudo) encode(Family) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.ByteOrder = binary.BigEndian
	ae.String(unix.NFTA_EXPR_NAME, "payload")
	ae.Nested(unix.NFTA_EXPR_DATA, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.NFTA_PAYLOAD_SREG, reg)
		ae.Uint32(unix.NFTA_PAYLOAD_BASE, uint32(NetworkHeader))
		ae.Uint32(unix.NFTA_PAYLOAD_OFFSET, p.offset)
		ae.Uint32(unix.NFTA_PAYLOAD_LEN, p.length)
		ae.Uint32(unix.NFTA_PAYLOAD_CSUM_TYPE, unix.NFT_PAYLOAD_CSUM_NONE) // IPv6 has none of its own
		ae.Uint32(unix.NFTA_PAYLOAD_CSUM_OFFSET, 0)
		ae.Uint32(unix.NFTA_PAYLOAD_CSUM_FLAGS, mendPseudo)
		return nil
	})
	return ae.Encode()
}
