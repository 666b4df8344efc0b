package doctor

import (
	"net"
	"net/netip"
	"reflect"
	"testing"
)

// vrrpPacket is an advert of version 2 from 10.0.0.1 for one address, VRID 51, priority 150.
var vrrpPacket = []byte{
	0x45, 0xc0, 0, 40, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18,
	0x21, 51, 150, 1, 0, 1, 0, 0, 192, 168, 42, 42, 0, 0, 0, 0, 0, 0, 0, 0,
}

func TestAVRRPAdvertIsRead(t *testing.T) {
	want := VRRP{From: netip.MustParseAddr("10.0.0.1"), Version: 2, VRID: 51, Priority: 150, Addrs: []netip.Addr{vip}}
	if got, ok := parseVRRP(vrrpPacket); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, ok, want)
	}
	for n := range 32 {
		if v, ok := parseVRRP(vrrpPacket[:n]); ok {
			t.Errorf("%d bytes of it are read as %+v", n, v)
		}
	}
}

func TestAnAnswerToAProbeSaysWhoHasIt(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	probe := arpProbe(mac, vip)
	if _, _, ok := parseARP(probe); ok || len(probe) != arpLen {
		t.Errorf("a probe claims something: % x", probe)
	}
	answer := append([]byte{}, probe...)
	answer[7] = 2
	copy(answer[14:], vip.AsSlice())
	if got, addr, ok := parseARP(answer); !ok || got.String() != mac.String() || addr != vip {
		t.Errorf("read %v, %v, %v", got, addr, ok)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(vrrpPacket)
	f.Add(arpProbe(net.HardwareAddr{2, 0, 0, 0, 0, 7}, vip))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, ok := parseVRRP(b); ok && len(v.Addrs)*4+28 > len(b) {
			t.Errorf("%d addresses in %d bytes", len(v.Addrs), len(b))
		}
		if mac, addr, ok := parseARP(b); ok && (len(mac) != 6 || !addr.Is4()) {
			t.Errorf("%v, %v", mac, addr)
		}
	})
}
