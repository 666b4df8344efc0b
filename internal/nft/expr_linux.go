package nft

import "github.com/google/nftables/expr"

// Verdicts.
var (
	Drop   = []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	Accept = []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
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
func Equal(base expr.PayloadBase, offset uint32, want []byte) []expr.Any {
	return compare(expr.CmpOpEq, base, offset, want)
}

// NotEqual goes on if it does not.
func NotEqual(base expr.PayloadBase, offset uint32, want []byte) []expr.Any {
	return compare(expr.CmpOpNeq, base, offset, want)
}

func compare(op expr.CmpOp, base expr.PayloadBase, offset uint32, want []byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: reg, Base: base, Offset: offset, Len: uint32(len(want))},
		&expr.Cmp{Op: op, Register: reg, Data: want},
	}
}

// Protocol goes on if the packet's transport protocol, behind extension headers, is p.
func Protocol(p byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: []byte{p}},
	}
}

// FromInterface goes on if the packet came in by an interface whose name begins so.
func FromInterface(prefix string) []expr.Any { return interfaceName(expr.MetaKeyIIFNAME, prefix) }

// ToInterface goes on if the packet leaves by an interface whose name begins so.
func ToInterface(prefix string) []expr.Any { return interfaceName(expr.MetaKeyOIFNAME, prefix) }

func interfaceName(key expr.MetaKey, prefix string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: []byte(prefix)},
	}
}

// Set overwrites a field of a header that no checksum covers.
func Set(base expr.PayloadBase, offset uint32, value []byte) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: reg, Data: value},
		&expr.Payload{
			OperationType: expr.PayloadWrite, SourceRegister: reg, Base: base, Offset: offset, Len: uint32(len(value)),
		},
	}
}

// SetPseudo overwrites a field of the network header that the transport checksum covers
// (its pseudo-header), and mends the checksum.
func SetPseudo(offset uint32, value []byte) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: reg, Data: value},
		&expr.Payload{
			OperationType: expr.PayloadWrite, SourceRegister: reg, Base: NetworkHeader, Offset: offset, Len: uint32(len(value)),
			CsumType: expr.CsumTypeNone, CsumFlags: 1, // NFT_PAYLOAD_L4CSUM_PSEUDOHDR
		},
	}
}
