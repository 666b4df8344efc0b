package vip

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
)

// arpAnnouncement builds an ARP announcement, RFC 5227, 2.3: a broadcast request
// whose sender and target are the address. The request form is the one that Linux
// accepts even for an entry updated a moment ago; a gratuitous reply that is not
// addressed to its receiver is ignored for a second (locktime).
func arpAnnouncement(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) {
	return arpRequest(mac, addr, addr)
}

// arpProbe builds an ARP probe, RFC 5227, 2.1.1: a broadcast request without a
// sender address, so that no cache learns anything from it.
func arpProbe(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) {
	return arpRequest(mac, netip.IPv4Unspecified(), addr)
}

func arpRequest(mac net.HardwareAddr, sender, target netip.Addr) ([]byte, error) {
	return arpFrame(arp.OperationRequest, mac, sender, ethernet.Broadcast, make(net.HardwareAddr, 6), target)
}

// arpAnswer builds the reply to a request, RFC 826, to the asker alone.
func arpAnswer(mac net.HardwareAddr, q Frame) ([]byte, error) {
	asker := q.Owner
	if !asker.IsValid() { // a probe
		asker = netip.IPv4Unspecified()
	}
	return arpFrame(arp.OperationReply, mac, q.Target, q.MAC, q.MAC, asker)
}

func arpFrame(op arp.Operation, mac net.HardwareAddr, sender netip.Addr, to, targetMAC net.HardwareAddr, target netip.Addr) ([]byte, error) {
	p, err := arp.NewPacket(op, mac, sender, targetMAC, target)
	if err != nil {
		return nil, fmt.Errorf("arp for %s: %w", target, err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("arp for %s: %w", target, err)
	}
	return (&ethernet.Frame{Destination: to, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
}

// decodeARP reads an Ethernet frame that carries ARP for IPv4; false means that it
// is something else, or malformed.
func decodeARP(b []byte) (Frame, bool) {
	var eth ethernet.Frame
	if eth.UnmarshalBinary(b) != nil || eth.EtherType != ethernet.EtherTypeARP {
		return Frame{}, false
	}
	var p arp.Packet
	if p.UnmarshalBinary(eth.Payload) != nil ||
		p.HardwareType != 1 || p.ProtocolType != uint16(ethernet.EtherTypeIPv4) ||
		p.HardwareAddrLength != 6 || p.IPLength != 4 || !isStation(p.SenderHardwareAddr) {
		return Frame{}, false
	}
	f := Frame{Source: eth.Source, MAC: p.SenderHardwareAddr}
	switch p.Operation {
	case arp.OperationRequest:
		f.Kind, f.Target = ARPRequest, p.TargetIP
	case arp.OperationReply:
		f.Kind = ARPReply
	default:
		return Frame{}, false
	}
	if !p.SenderIP.IsUnspecified() { // a probe says nothing about anybody
		f.Owner = p.SenderIP
	}
	return f, true
}

// isStation reports whether mac can be the address of one station: neither all
// zeros nor a group.
func isStation(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && [6]byte(mac) != [6]byte{}
}
