package handover

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// message is a description of an interface as the kernel makes it.
func message(index int32, name string, fill func(*netlink.AttributeEncoder)) []byte {
	data := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(data[4:], uint32(index))
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, name)
	if fill != nil {
		fill(ae)
	}
	attrs, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return append(data, attrs...)
}

func bond(mode byte) func(ae *netlink.AttributeEncoder) {
	return func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "bond")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				ae.Uint8(unix.IFLA_BOND_MODE, mode)
				return nil
			})
			return nil
		})
	}
}

// A VLAN on a bond of two ports, beside a veth whose other end, in another namespace, has a
// number that means something else here.
func TestABondIsFoundBeneathAVLAN(t *testing.T) {
	port := func(mac byte) func(ae *netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.IFLA_MASTER, 4)
			ae.Bytes(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, mac})
		}
	}
	var links []link
	for _, m := range [][]byte{
		message(1, "lo", nil),
		message(2, "eth0", port(1)),
		message(3, "eth1", port(2)),
		message(4, "bond0", bond(bondALB)),
		message(5, "bond0.7", func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_LINK, 4) }),
		message(6, "veth", func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.IFLA_LINK, 4)
			ae.Int32(unix.IFLA_LINK_NETNSID, 0)
		}),
	} {
		l, err := decodeLink(m)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
	}
	names := func(index int) (names []string) {
		for _, l := range beneath(links, index) {
			names = append(names, l.name)
		}
		slices.Sort(names)
		return names
	}
	for index, want := range map[int][]string{
		1: {"lo"},
		4: {"bond0", "eth0", "eth1"},
		5: {"bond0", "bond0.7", "eth0", "eth1"},
		6: {"veth"},
		9: nil,
	} {
		if got := names(index); !slices.Equal(got, want) {
			t.Errorf("beneath %d are %v, want %v", index, got, want)
		}
	}
	if macs := macsOf(links, 5); len(macs) != 2 || macs[0].String() != "02:00:00:00:00:01" || macs[1].String() != "02:00:00:00:00:02" {
		t.Errorf("the VLAN's frames leave with %v, want the ports' addresses", macs)
	}
	if l := links[3]; !l.bond || l.bondMode != bondALB {
		t.Errorf("%+v; want a bond of mode 6", l)
	}
	if _, err := decodeLink([]byte{1, 2}); err == nil {
		t.Error("two bytes are an interface")
	}
}

func TestADatagramOfTheKernelIsReadToItsEnd(t *testing.T) {
	message := func(kind uint16, seq uint32, body ...byte) []byte {
		out := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		out = binary.NativeEndian.AppendUint16(out, kind)
		out = binary.NativeEndian.AppendUint16(out, 0)
		out = binary.NativeEndian.AppendUint32(out, seq)
		out = append(out, 0, 0, 0, 0)
		return append(append(out, body...), make([]byte, -len(body)&3)...)
	}
	seen := ""
	each := func(b []byte) error { seen += string(b[:1]); return nil }
	data := slices.Concat(
		message(unix.SOCK_DIAG_BY_FAMILY, 7, 'a', 0), message(unix.SOCK_DIAG_BY_FAMILY, 6, 'x'),
		message(unix.NLMSG_DONE, 6), message(unix.SOCK_DIAG_BY_FAMILY, 7, 'b', 0, 0), message(unix.NLMSG_DONE, 7),
		message(unix.SOCK_DIAG_BY_FAMILY, 7, 'y'))
	if done, err := eachMessage(data, 7, each); !done || err != nil || seen != "ab" {
		t.Errorf("%q, done %v, %v; want what answers question 7, to its end", seen, done, err)
	}
	if _, err := eachMessage(message(unix.NLMSG_ERROR, 7, 0xfe, 0xff, 0xff, 0xff), 7, each); err == nil {
		t.Error("ENOENT is no error")
	}
	for cut := 16; cut < 20; cut++ {
		if done, err := eachMessage(message(unix.NLMSG_ERROR, 7, 0, 0, 0, 0)[:cut], 7, each); err == nil || done {
			t.Errorf("an error cut at %d: done %v, %v", cut, done, err)
		}
	}
}

func FuzzKernelsAnswer(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 20, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0})
	f.Add(message(4, "bond0", bond(5)))
	f.Fuzz(func(t *testing.T, data []byte) {
		eachMessage(data, 7, func(b []byte) error { decodeFlow(b); return nil })
		decodeFlow(data)
		decodeLink(data)
	})
}
