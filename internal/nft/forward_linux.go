package nft

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Count counts the packets that reach it; Counters tells.
var Count = Known(&expr.Counter{})

// Goto hands the packet to another chain for good.
func Goto(chain string) Part {
	return Known(&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain})
}

// SubChain adds a chain without a hook, for Goto.
func (b *Batch) SubChain(f Family, table, name string) {
	b.add(f, unix.NFT_MSG_NEWCHAIN, netlink.Create, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_CHAIN_TABLE, table)
		ae.String(unix.NFTA_CHAIN_NAME, name)
	})
}

// NotForUs goes on if the frame was not sent to this interface's own hardware address: a
// broadcast, a multicast, or one that a switch flooded.
func NotForUs() Part {
	return Known(
		&expr.Meta{Key: expr.MetaKeyPKTTYPE, Register: reg},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: []byte{unix.PACKET_HOST}},
	)
}

// EtherType goes on if the frame carries this protocol, one of unix.ETH_P_*.
func EtherType(p uint16) Part {
	return Known(
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: binary.BigEndian.AppendUint16(nil, p)},
	)
}

// Masked goes on if the packet, at an offset of a header and under a mask, has want. It has
// the same length as the mask.
func Masked(base expr.PayloadBase, offset uint32, mask, want []byte) Part {
	return masked(expr.CmpOpEq, base, offset, mask, want)
}

// NotMasked goes on if it does not.
func NotMasked(base expr.PayloadBase, offset uint32, mask, want []byte) Part {
	return masked(expr.CmpOpNeq, base, offset, mask, want)
}

func masked(op expr.CmpOp, base expr.PayloadBase, offset uint32, mask, want []byte) Part {
	return append(
		Known(&expr.Payload{DestRegister: reg, Base: base, Offset: offset, Len: uint32(len(mask))}),
		compareMasked(op, mask, want)...)
}

func compareMasked(op expr.CmpOp, mask, want []byte) Part {
	return Known(
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))},
		&expr.Cmp{Op: op, Register: reg, Data: want},
	)
}

// LaterFragment6 goes on if the packet is a fragment of an IPv6 packet, but not its first,
// which alone has the transport's header (RFC 8200, section 4.5).
func LaterFragment6() Part {
	const offsetField, moreAndReserved = 2, 0x0007
	mask := binary.BigEndian.AppendUint16(nil, ^uint16(moreAndReserved))
	return append(
		Known(&expr.Exthdr{
			DestRegister: reg, Type: unix.IPPROTO_FRAGMENT, Offset: offsetField, Len: 2, Op: expr.ExthdrOpIpv6,
		}),
		compareMasked(expr.CmpOpNeq, mask, []byte{0, 0})...)
}

// ForwardTo sends the packet out again by an interface, to the neighbour with this address,
// whatever the packet's own destination, and ends the rule. It needs the netdev family and
// is for packets of the address's family only; others go on.
func ForwardTo(device int, neighbour netip.Addr) Part {
	neighbour = neighbour.Unmap()
	family := Family(unix.NFPROTO_IPV4)
	if neighbour.Is6() {
		family = IPv6
	}
	const deviceReg, addressReg = 1, 2 // NFT_REG_1, NFT_REG_2
	return append(
		Known(
			&expr.Immediate{Register: deviceReg, Data: binary.NativeEndian.AppendUint32(nil, uint32(device))},
			&expr.Immediate{Register: addressReg, Data: neighbour.AsSlice()},
		),
		forward{device: deviceReg, address: addressReg, family: family})
}

// forward is nft's fwd, of which google/nftables has nothing.
type forward struct {
	device, address uint32 // registers
	family          Family
}

// The attributes of fwd, linux/netfilter/nf_tables.h; golang.org/x/sys lacks the last two.
const (
	forwardDevice  = 1 // NFTA_FWD_SREG_DEV
	forwardAddress = 2 // NFTA_FWD_SREG_ADDR
	forwardFamily  = 3 // NFTA_FWD_NFPROTO
)

func (w forward) encode(Family) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.ByteOrder = binary.BigEndian
	ae.String(unix.NFTA_EXPR_NAME, "fwd")
	ae.Nested(unix.NFTA_EXPR_DATA, func(ae *netlink.AttributeEncoder) error {
		ae.ByteOrder = binary.BigEndian
		ae.Uint32(forwardDevice, w.device)
		ae.Uint32(forwardAddress, w.address)
		ae.Uint32(forwardFamily, uint32(w.family))
		return nil
	})
	return ae.Encode()
}
