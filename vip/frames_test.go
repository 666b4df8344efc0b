package vip

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	testMAC = net.HardwareAddr{0x02, 0x00, 0x5e, 0x00, 0x00, 0x01}
	test4   = netip.MustParseAddr("10.77.0.100")
	test6   = netip.MustParseAddr("fd77::100")

	sameAddr = cmp.Comparer(func(p, q netip.Addr) bool { return p == q })
)

// Known frames, written out after the RFCs' diagrams.
const (
	// RFC 5227, 2.3: request, sender and target are the address, target MAC zero.
	hexARPAnnouncement = "ffffffffffff 02005e000001 0806 0001 0800 06 04 0001 02005e000001 0a4d0064 000000000000 0a4d0064"
	// RFC 5227, 2.1.1: as above with sender 0.0.0.0.
	hexARPProbe = "ffffffffffff 02005e000001 0806 0001 0800 06 04 0001 02005e000001 00000000 000000000000 0a4d0064"
	// RFC 826: a reply, as a kernel sends it to a prober.
	hexARPReply = "02005e000002 02005e000001 0806 0001 0800 06 04 0002 02005e000001 0a4d0064 02005e000002 00000000"
	// RFC 4861, 4.4 and 7.2.6: override, target link-layer address, to all nodes.
	hexNA = "333300000001 02005e000001 86dd 60000000 0020 3a ff" +
		" fd770000000000000000000000000100 ff020000000000000000000000000001" +
		" 8800 f9ae 20000000 fd770000000000000000000000000100 0201 02005e000001"
	// RFC 4861, 7.2.2: solicitation in the node's own name, source link-layer address.
	hexQuestion = "3333ff000100 02005e000002 86dd 60000000 0020 3a ff" +
		" fd770000000000000000000000000002 ff0200000000000000000001ff000100" +
		" 8700 1cab 00000000 fd770000000000000000000000000100 0101 02005e000002"
	// RFC 4861, 7.2.4: the answer to it, solicited and override, to the asker alone.
	hexNAAnswer = "02005e000002 02005e000001 86dd 60000000 0020 3a ff" +
		" fd770000000000000000000000000100 fd770000000000000000000000000002" +
		" 8800 bb38 60000000 fd770000000000000000000000000100 0201 02005e000001"
	// RFC 4862, 5.4.2: solicitation from :: to the solicited-node group.
	hexNS = "3333ff000100 02005e000001 86dd 60000000 0018 3a ff" +
		" 00000000000000000000000000000000 ff0200000000000000000001ff000100" +
		" 8700 7b30 00000000 fd770000000000000000000000000100"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesAreAsTheRFCsDrawThem(t *testing.T) {
	announcement, err := arpAnnouncement(testMAC, test4)
	if err != nil {
		t.Fatal(err)
	}
	probe, err := arpProbe(testMAC, test4)
	if err != nil {
		t.Fatal(err)
	}
	asker := net.HardwareAddr{0x02, 0x00, 0x5e, 0x00, 0x00, 0x02}
	reply, err := arpAnswer(testMAC, Frame{Kind: ARPRequest, MAC: asker, Target: test4})
	if err != nil {
		t.Fatal(err)
	}
	own := netip.MustParseAddr("fd77::2")
	question := Frame{Kind: Solicitation, MAC: asker, Owner: own, Target: test6}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"ARP reply to a probe":   {reply, hexARPReply},
		"question":               {nsQuestion(asker, own, test6), hexQuestion},
		"answer":                 {naAnswer(testMAC, question), hexNAAnswer},
		"answer to a probe":      {naAnswer(testMAC, Frame{Kind: Solicitation, MAC: asker, Target: test6}), hexNA},
		"ARP announcement":       {announcement, hexARPAnnouncement},
		"ARP probe":              {probe, hexARPProbe},
		"neighbor advertisement": {naAnnouncement(testMAC, test6), hexNA},
		"neighbor solicitation":  {nsProbe(testMAC, test6), hexNS},
	} {
		// A driver or the kernel may pad to Ethernet's least length.
		if want := unhex(t, c.want); !bytes.HasPrefix(c.got, want) || len(bytes.Trim(c.got[len(want):], "\x00")) > 0 {
			t.Errorf("%s:\n got %x\nwant %x", name, c.got, want)
		}
	}
}

func TestAFrameSaysWhoClaimsWhat(t *testing.T) {
	for name, c := range map[string]struct {
		hex    string
		decode func([]byte) (Frame, bool)
		want   Frame
	}{
		"ARP announcement": {hexARPAnnouncement, decodeARP, Frame{Kind: ARPRequest, Source: testMAC, Owner: test4, MAC: testMAC, Target: test4}},
		"ARP probe":        {hexARPProbe, decodeARP, Frame{Kind: ARPRequest, Source: testMAC, MAC: testMAC, Target: test4}},
		"ARP reply":        {hexARPReply, decodeARP, Frame{Kind: ARPReply, Source: testMAC, Owner: test4, MAC: testMAC}},
		"advertisement":    {hexNA, decodeNDP, Frame{Kind: Advertisement, Source: testMAC, Owner: test6, MAC: testMAC}},
		"solicitation":     {hexNS, decodeNDP, Frame{Kind: Solicitation, Source: testMAC, MAC: testMAC, Target: test6}},
	} {
		b := unhex(t, c.hex)
		for _, padded := range [][]byte{b, append(bytes.Clone(b), make([]byte, 18)...)} {
			got, ok := c.decode(padded)
			if !ok {
				t.Errorf("%s (%d bytes): not decoded", name, len(padded))
				continue
			}
			if diff := cmp.Diff(c.want, got, sameAddr); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// edit returns the frame with one change; NDP frames get a right checksum again.
func edit(b []byte, change func(b []byte) []byte) []byte {
	b = change(bytes.Clone(b))
	if len(b) >= optOff && b[12] == 0x86 {
		end := min(len(b), icmpOff+int(b[ethLen+4])<<8+int(b[ethLen+5]))
		if end >= optOff {
			b[icmpOff+2], b[icmpOff+3] = 0, 0
			sum := checksum(b[ethLen:end])
			b[icmpOff+2], b[icmpOff+3] = byte(sum>>8), byte(sum)
		}
	}
	return b
}

func set(at int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte { copy(b[at:], v); return b }
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func TestMalformedFramesAreIgnored(t *testing.T) {
	arp, na, ns := unhex(t, hexARPAnnouncement), unhex(t, hexNA), unhex(t, hexNS)
	for name, c := range map[string]struct {
		frame  []byte
		decode func([]byte) (Frame, bool)
	}{
		"ARP cut short":                   {edit(arp, cut(40)), decodeARP},
		"ARP of another hardware":         {edit(arp, set(15, 6)), decodeARP},
		"ARP of another protocol":         {edit(arp, set(16, 0x86, 0xdd)), decodeARP},
		"ARP with MACs of 4 bytes":        {edit(arp, set(18, 4)), decodeARP},
		"ARP with 16-byte addresses":      {edit(arp, set(19, 16)), decodeARP},
		"ARP with another operation":      {edit(arp, set(21, 3)), decodeARP},
		"ARP from a group MAC":            {edit(arp, set(22, 0x03)), decodeARP},
		"ARP from no MAC":                 {edit(arp, set(22, 0, 0, 0, 0, 0, 0)), decodeARP},
		"IPv6 as ARP":                     {na, decodeARP},
		"ARP as IPv6":                     {arp, decodeNDP},
		"NA cut short":                    {edit(na, cut(60)), decodeNDP},
		"NA with a wrong checksum":        {set(icmpOff+2, 1, 2)(bytes.Clone(na)), decodeNDP},
		"NA that a router forwarded":      {edit(na, set(ethLen+7, 254)), decodeNDP},
		"NA that is not ICMPv6":           {edit(na, set(ethLen+6, 17)), decodeNDP},
		"NA in IP version 4":              {edit(na, set(ethLen, 0x40)), decodeNDP},
		"NA with another code":            {edit(na, set(icmpOff+1, 1)), decodeNDP},
		"NA for a group":                  {edit(na, set(icmpOff+8, 0xff)), decodeNDP},
		"NA longer than its frame":        {edit(na, set(ethLen+4, 0xff, 0xff)), decodeNDP},
		"NA shorter than itself":          {edit(na, set(ethLen+4, 0, 8)), decodeNDP},
		"NA with an option of length 0":   {edit(na, set(optOff+1, 0)), decodeNDP},
		"NA with an option past its end":  {edit(na, set(optOff+1, 2)), decodeNDP},
		"NA with half an option":          {edit(na, set(ethLen+4, 0, 0x1c)), decodeNDP},
		"NA with a group's MAC":           {edit(na, set(optOff+2, 0x33)), decodeNDP},
		"another ICMPv6 message (echo)":   {edit(na, set(icmpOff, 128)), decodeNDP},
		"another, as long as NS (router)": {edit(ns, set(icmpOff, 133)), decodeNDP},
	} {
		if f, ok := c.decode(c.frame); ok {
			t.Errorf("%s: decoded as %+v", name, f)
		}
	}
}

func TestASolicitationClaimsItsSourceAddress(t *testing.T) {
	// A node that uses the VIP as the source of its own solicitation steals it.
	src := test6.As16()
	got, ok := decodeNDP(edit(unhex(t, hexNS), set(ethLen+8, src[:]...)))
	if !ok || got.Owner != test6 || !bytes.Equal(got.MAC, testMAC) {
		t.Errorf("decoded as %+v, %v; want a claim of %v by %v", got, ok, test6, testMAC)
	}
}

func FuzzDecodeARP(f *testing.F) {
	for _, s := range []string{hexARPAnnouncement, hexARPProbe, hexARPReply, hexNA} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := decodeARP(b)
		if !ok {
			return
		}
		if !isStation(got.MAC) || len(got.Source) != 6 || (got.Owner.IsValid() && !got.Owner.Is4()) {
			t.Fatalf("decoded nonsense: %+v", got)
		}
		if got.Kind == ARPRequest {
			answer, err := arpAnswer(testMAC, got)
			if err != nil {
				t.Fatal(err)
			}
			f, ok := decodeARP(answer)
			told := f.Owner == got.Target || got.Target.IsUnspecified()
			if !ok || !told || !bytes.Equal(f.MAC, testMAC) || !bytes.Equal(answer[:6], got.MAC) {
				t.Fatalf("%+v was answered by %+v", got, f)
			}
		}
		if got.Kind == ARPRequest && got.Owner == got.Target && got.Owner.IsValid() {
			again, err := arpAnnouncement(got.MAC, got.Owner)
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := decodeARP(again); !ok || f.Owner != got.Owner || !bytes.Equal(f.MAC, got.MAC) {
				t.Fatalf("round trip: %+v became %+v", got, f)
			}
		}
	})
}

func FuzzDecodeNDP(f *testing.F) {
	for _, s := range []string{hexNA, hexNS, hexQuestion, hexNAAnswer, hexARPProbe} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// With a right checksum as well, or the fuzzer never gets past it.
		for _, b := range [][]byte{b, edit(b, func(b []byte) []byte { return b })} {
			got, ok := decodeNDP(b)
			if !ok {
				continue
			}
			if !isStation(got.MAC) || len(got.Source) != 6 || got.Owner.IsMulticast() && got.Kind == Advertisement {
				t.Fatalf("decoded nonsense: %+v", got)
			}
			if got.Kind == Advertisement {
				f, ok := decodeNDP(naAnnouncement(got.MAC, got.Owner))
				if !ok || f.Owner != got.Owner || !bytes.Equal(f.MAC, got.MAC) {
					t.Fatalf("round trip: %+v became %+v", got, f)
				}
			} else if f, ok := decodeNDP(naAnswer(testMAC, got)); !ok || f.Owner != got.Target || !bytes.Equal(f.MAC, testMAC) {
				t.Fatalf("%+v was answered by %+v", got, f)
			}
		}
	})
}
