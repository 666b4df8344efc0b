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
const rulesPerVIP = 3

// Chains of both tables.
const (
	chainIn  = "input"
	chainOut = "output"
)

// Offsets in an ARP packet for IPv4 over Ethernet, RFC 826.
const (
	arpOperation = 6
	arpSenderIP  = 14
	arpTargetIP  = 24
)

// arpRules mutes the kernel's ARP:
//
//	table arp tandem_GROUP {
//		chain input {
//			type filter hook input priority 0
//			arp operation request arp daddr ip VIP arp saddr ip != VIP drop
//		}
//		chain output {
//			type filter hook output priority 0
//			arp operation reply arp saddr ip VIP drop
//			arp saddr ip VIP arp saddr ip set OWN
//		}
//	}
//
// A request whose sender is the VIP is another node's announcement, from which this
// node's own cache must learn; the answer that the kernel gives to it as well is what the
// second rule drops. The third is for the requests which the kernel sends on behalf of
// connections of the VIP: their sender would move the neighbours' caches here, even from
// a node that no longer owns the VIP; dropped, they could not be answered.
func arpRules(b *nft.Batch, table string, vips []mutedVIP) {
	request := binary.BigEndian.AppendUint16(nil, uint16(arp.OperationRequest))
	reply := binary.BigEndian.AppendUint16(nil, uint16(arp.OperationReply))
	b.Chain(nft.ARP, table, nft.Chain{Name: chainIn, Hook: nft.HookARPIn})
	b.Chain(nft.ARP, table, nft.Chain{Name: chainOut, Hook: nft.HookARPOut})
	for _, v := range vips {
		addr, own := v.addr.AsSlice(), v.own
		if !own.IsValid() {
			own = netip.IPv4Unspecified() // as a probe does: it is answered all the same
		}
		fromVIP := nft.Equal(nft.NetworkHeader, arpSenderIP, addr)
		b.Rule(nft.ARP, table, chainIn, nft.Equal(nft.NetworkHeader, arpOperation, request),
			nft.Equal(nft.NetworkHeader, arpTargetIP, addr), nft.NotEqual(nft.NetworkHeader, arpSenderIP, addr), nft.Drop)
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

// ndpRules mutes the kernel's NDP:
//
//	table ip6 tandem_GROUP {
//		chain input {
//			type filter hook input priority 0
//			icmpv6 type nd-neighbor-solicit icmpv6 taddr VIP drop
//		}
//		chain output {
//			type filter hook output priority 0
//			icmpv6 type nd-neighbor-advert icmpv6 taddr VIP drop
//			icmpv6 type nd-neighbor-solicit ip6 saddr VIP ip6 saddr set OWN
//		}
//	}
//
// The rules have the same reasons; advertisements of its own accord the kernel sends when
// the interface comes up (ndisc_notify).
func ndpRules(b *nft.Batch, table string, vips []mutedVIP) {
	kind := func(t byte) nft.Part {
		return append(nft.Protocol(protoICMPv6), nft.Equal(nft.TransportHeader, ndpType, []byte{t})...)
	}
	b.Chain(nft.IPv6, table, nft.Chain{Name: chainIn, Hook: nft.HookIn})
	b.Chain(nft.IPv6, table, nft.Chain{Name: chainOut, Hook: nft.HookOut})
	for _, v := range vips {
		addr := v.addr.AsSlice()
		about := nft.Equal(nft.TransportHeader, ndpTarget, addr)
		mend := nft.Drop // nothing else could be said
		if v.own.IsValid() {
			mend = nft.SetPseudo(ip6Source, v.own.AsSlice())
		}
		b.Rule(nft.IPv6, table, chainIn, kind(typeNS), about, nft.Drop)
		b.Rule(nft.IPv6, table, chainOut, kind(typeNA), about, nft.Drop)
		b.Rule(nft.IPv6, table, chainOut, kind(typeNS), nft.Equal(nft.NetworkHeader, ip6Source, addr), mend)
	}
}
