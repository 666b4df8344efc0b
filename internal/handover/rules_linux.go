package handover

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/nft"
)

// family is what is different between IPv4 and IPv6 in a table.
type family struct {
	name      string // of its chains and set
	ethertype uint16
	addr      nft.Field
	length    uint32     // of an address
	any       netip.Addr // one of them
	source    uint32     // offsets in the IP header
	dest      uint32
	icmp      byte     // the protocol whose messages say that a packet was too big
	tooBig    []byte   // how such a message begins
	inner     uint32   // length of the IP header in it
	plain     []byte   // how that header begins if it has this length, under plainMask
	plainMask []byte   //
	protocol  uint32   // offset of the transport's number in that header
	later     nft.Part // goes on if the packet is a later fragment
}

// icmpHeader is the length of what stands before the header of the packet that an ICMP
// message is about (RFC 792; RFC 4443, section 3.2).
const icmpHeader = 8

var (
	four = family{
		name: "4", ethertype: unix.ETH_P_IP, addr: nft.IPv4Addr, length: 4, any: netip.IPv4Unspecified(), source: 12, dest: 16,
		icmp: unix.IPPROTO_ICMP, tooBig: []byte{3, 4}, // destination unreachable, fragmentation needed
		inner: 20, plain: []byte{0x45}, plainMask: []byte{0xff}, protocol: 9, // 0x45: version 4, no options
		later: nft.NotMasked(nft.NetworkHeader, 6, []byte{0x1f, 0xff}, []byte{0, 0}),
	}
	six = family{
		name: "6", ethertype: unix.ETH_P_IPV6, addr: nft.IPv6Addr, length: 16, any: netip.IPv6Unspecified(), source: 8, dest: 24,
		icmp: unix.IPPROTO_ICMPV6, tooBig: []byte{2, 0}, // packet too big
		inner: 40, plain: []byte{0x60}, plainMask: []byte{0xf0}, protocol: 6,
		later: nft.LaterFragment6(),
	}
)

// familyOf returns the address's family.
func familyOf(a netip.Addr) *family {
	if a.Is4() {
		return &four
	}
	return &six
}

// Names in a table; a family's own have its name behind.
const (
	chainIngress   = "ingress"
	chainTCP       = "tcp"
	chainErrors    = "errors"
	chainFragments = "fragments"
	setLocal       = "local"
)

// flow is the set's key as a TCP segment has it, client first.
func (f *family) flow() []nft.Load {
	return []nft.Load{
		{Base: nft.NetworkHeader, Offset: f.source, Len: f.length},
		{Base: nft.TransportHeader, Offset: 0, Len: 2},
		{Base: nft.NetworkHeader, Offset: f.dest, Len: f.length},
		{Base: nft.TransportHeader, Offset: 2, Len: 2},
	}
}

// innerFlow is the same key as a message about a segment of this node has it: there the
// client is the destination.
func (f *family) innerFlow() []nft.Load {
	return []nft.Load{
		{Base: nft.TransportHeader, Offset: icmpHeader + f.dest, Len: f.length},
		{Base: nft.TransportHeader, Offset: icmpHeader + f.inner + 2, Len: 2},
		{Base: nft.TransportHeader, Offset: icmpHeader + f.source, Len: f.length},
		{Base: nft.TransportHeader, Offset: icmpHeader + f.inner, Len: 2},
	}
}

// flowKey is the set's key of a flow.
func flowKey(w Flow) []byte {
	client, server := w.Client.Addr().Unmap(), w.Server.Addr().Unmap()
	return nft.Key(client.AsSlice(), port(w.Client.Port()), server.AsSlice(), port(w.Server.Port()))
}

func port(p uint16) []byte { return []byte{byte(p >> 8), byte(p)} }

// watchRules make a table that knows this node's new connections and forwards nothing yet:
//
//	table netdev tandem_fwd_GROUP_… {
//		set local4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; timeout DRAIN+1m }
//		chain ingress {
//			type filter hook ingress device DEVICE priority 0
//			meta pkttype != host accept
//			ether saddr PEER_MAC accept                                        (one per address)
//			meta protocol ip ip daddr VIP meta l4proto tcp ip frag-off & 0x1fff != 0 goto fragments
//			meta protocol ip ip daddr VIP meta l4proto tcp goto tcp4           (these three per VIP)
//			meta protocol ip ip daddr VIP icmp 3/4 about tcp goto errors4
//		}
//		chain fragments { counter accept }
//		chain tcp4 {
//			tcp flags & (syn|ack) == syn add @local4 { ip saddr . th sport . ip daddr . th dport } accept
//			ip saddr . th sport . ip daddr . th dport @local4 accept
//		}
//		chain errors4 { inner ip daddr . th dport . ip saddr . th sport @local4 accept }
//	}
//
// and the same with 6. Frames that were not sent to this node are left alone, because a
// switch floods what it does not know; so are the peer's, because it sends what it could not
// use itself. The VIP is in the key: one client may talk to two VIPs from the same port. When
// the set is full, a new connection goes to the peer, which still serves.
func watchRules(b *nft.Batch, table string, flags nft.TableFlags, cfg Config) {
	const fam = nft.Netdev
	b.Table(fam, table, flags)
	b.SubChain(fam, table, chainFragments)
	b.Rule(fam, table, chainFragments, nft.Count, nft.Accept)
	for _, f := range cfg.families() {
		set, tcp, errs := setLocal+f.name, chainTCP+f.name, chainErrors+f.name
		b.KeySet(fam, table, nft.KeySet{
			Name: set, Key: []nft.Field{f.addr, nft.Service, f.addr, nft.Service},
			Timeout: cfg.Drain + margin, Size: uint32(cfg.MaxFlows),
		})
		b.SubChain(fam, table, tcp)
		b.Rule(fam, table, tcp, opening, nft.AddTo(set, f.flow()...), nft.Accept)
		b.Rule(fam, table, tcp, nft.In(set, f.flow()...), nft.Accept)
		b.SubChain(fam, table, errs)
		b.Rule(fam, table, errs, nft.In(set, f.innerFlow()...), nft.Accept)
	}
	b.Chain(fam, table, nft.Chain{Name: chainIngress, Hook: nft.HookIngress, Device: cfg.Device})
	b.Rule(fam, table, chainIngress, nft.NotForUs(), nft.Accept)
	for _, mac := range cfg.PeerMACs {
		b.Rule(fam, table, chainIngress, nft.Equal(nft.LinkHeader, etherSource, mac), nft.Accept)
	}
	for _, vip := range cfg.VIPs {
		f := familyOf(vip)
		tcp := f.to(vip, unix.IPPROTO_TCP)
		b.Rule(fam, table, chainIngress, tcp, f.later, nft.Goto(chainFragments))
		b.Rule(fam, table, chainIngress, tcp, nft.Goto(chainTCP+f.name))
		b.Rule(fam, table, chainIngress, f.to(vip, f.icmp), nft.Equal(nft.TransportHeader, 0, f.tooBig),
			nft.Masked(nft.TransportHeader, icmpHeader, f.plainMask, f.plain),
			nft.Equal(nft.TransportHeader, icmpHeader+f.protocol, []byte{unix.IPPROTO_TCP}), nft.Goto(chainErrors+f.name))
	}
}

// etherSource is the offset of the sender in an Ethernet header.
const etherSource = 6

// opening goes on if a segment opens a connection. The flags are in the 14th byte of the
// header (RFC 9293, section 3.1).
var opening = nft.Masked(nft.TransportHeader, 13, []byte{flagSYN | flagACK}, []byte{flagSYN})

// to goes on if a packet is for the VIP and of this protocol.
func (f *family) to(vip netip.Addr, protocol byte) nft.Part {
	return slices.Concat(nft.EtherType(f.ethertype),
		nft.Equal(nft.NetworkHeader, f.dest, vip.AsSlice()), nft.Protocol(protocol))
}

// forwardRules complete the table: what got through chains tcp4 and errors4 belongs to a
// connection of the peer.
//
//	counter fwd ip to PEER device DEVICE
func forwardRules(b *nft.Batch, table string, device int, cfg Config) {
	for _, f := range cfg.families() {
		peer, _ := cfg.peerOf(f.any)
		for _, chain := range []string{chainTCP, chainErrors} {
			b.Rule(nft.Netdev, table, chain+f.name, nft.Count, nft.ForwardTo(device, peer))
		}
	}
}

// families are those of the VIPs.
func (c Config) families() (fs []*family) {
	for _, f := range []*family{&four, &six} {
		if slices.ContainsFunc(c.VIPs, func(v netip.Addr) bool { return familyOf(v) == f }) {
			fs = append(fs, f)
		}
	}
	return fs
}
