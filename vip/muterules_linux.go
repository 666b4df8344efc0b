package vip

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/arp"

	"github.com/tandem-lb/tandem/internal/nft"
)

// mutedVIP is a VIP, and the address by which this node speaks on the VIP's interface.
type mutedVIP struct {
	addr netip.Addr
	own  netip.Addr // invalid: it has none of that family
}

// rulesPerVIP is how many rules each of the following makes.
const rulesPerVIP = 2

// chainOut is the only chain of both tables. The kernel is muted where it speaks, not where
// it listens: it goes on learning from questions where the askers are, and need not ask in
// turn before it can send them a segment; and other nodes' announcements reach its cache.
const chainOut = "output"

// Offsets in an ARP packet for IPv4 over Ethernet, RFC 826.
const (
	arpOperation = 6
	arpSenderIP  = 14
)

// arpRules mutes the kernel's ARP:
//
//	table arp tandem_GROUP {
//		chain output {
//			type filter hook output priority 0
//			arp operation reply arp saddr ip VIP drop
//			arp saddr ip VIP arp saddr ip set OWN
//		}
//	}
//
// The second rule is for the requests which the kernel sends on behalf of connections of
// the VIP: in the VIP's name they would move the neighbours' caches here, even from a node
// that no longer owns the VIP; dropped, nothing could be sent to those who are asked for.
func arpRules(b *nft.Batch, table string, vips []mutedVIP) {
	reply := binary.BigEndian.AppendUint16(nil, uint16(arp.OperationReply))
	b.Chain(nft.ARP, table, nft.Chain{Name: chainOut, Hook: nft.HookARPOut})
	for _, v := range vips {
		own := v.own
		if !own.IsValid() {
			own = netip.IPv4Unspecified() // as a probe does: it is answered all the same
		}
		fromVIP := nft.Equal(nft.NetworkHeader, arpSenderIP, v.addr.AsSlice())
		b.Rule(nft.ARP, table, chainOut, nft.Equal(nft.NetworkHeader, arpOperation, reply), fromVIP, nft.Drop)
		b.Rule(nft.ARP, table, chainOut, fromVIP, nft.Set(nft.NetworkHeader, arpSenderIP, own.AsSlice()))
	}
}

// Offsets in an IPv6 header, and in a solicitation or advertisement.
const (
	ip6Source = 8
	ndpType   = 0
	ndpTarget = 8
)

// ndpRules mutes the kernel's NDP, for the same reasons:
//
//	table ip6 tandem_GROUP {
//		chain output {
//			type filter hook output priority 0
//			icmpv6 type nd-neighbor-advert icmpv6 taddr VIP drop
//			icmpv6 type nd-neighbor-solicit ip6 saddr VIP ip6 saddr set OWN
//		}
//	}
func ndpRules(b *nft.Batch, table string, vips []mutedVIP) {
	kind := func(t byte) nft.Part {
		return append(nft.Protocol(protoICMPv6), nft.Equal(nft.TransportHeader, ndpType, []byte{t})...)
	}
	b.Chain(nft.IPv6, table, nft.Chain{Name: chainOut, Hook: nft.HookOut})
	for _, v := range vips {
		addr := v.addr.AsSlice()
		rewrite := nft.Drop // there is no name to ask in
		if v.own.IsValid() {
			rewrite = nft.SetPseudo(ip6Source, v.own.AsSlice())
		}
		b.Rule(nft.IPv6, table, chainOut, kind(typeNA), nft.Equal(nft.TransportHeader, ndpTarget, addr), nft.Drop)
		b.Rule(nft.IPv6, table, chainOut, kind(typeNS), nft.Equal(nft.NetworkHeader, ip6Source, addr), rewrite)
	}
}
