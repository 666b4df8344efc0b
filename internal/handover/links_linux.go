package handover

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// link is an interface as the kernel describes it.
type link struct {
	index, parent, master int // parent: below a VLAN; master: the bridge or bond it is a port of
	name                  string
	bond                  bool
	bondMode              byte
	mac                   net.HardwareAddr // nil: it has none of Ethernet's
}

// MACs returns the hardware addresses that this node may send from on the device: its own, and
// those of what is beneath it, such as a bond's ports. A bridge's ports do not count: what it
// sends itself has its own address. That is what a peer needs for Config.PeerMACs. It looks in
// the calling thread's network namespace.
func MACs(device string) (macs []net.HardwareAddr, err error) {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fmt.Errorf("handover: device %s: %w", device, err)
	}
	links, err := listLinks()
	if err != nil {
		return nil, fmt.Errorf("handover: list interfaces: %w", err)
	}
	macs = macsOf(links, ifi.Index)
	if len(macs) == 0 || len(macs) > maxMACs {
		return nil, fmt.Errorf("handover: %d hardware addresses on %s; 1 to %d are supported", len(macs), device, maxMACs)
	}
	return macs, nil
}

func macsOf(links []link, index int) (macs []net.HardwareAddr) {
	for _, l := range beneath(links, index) {
		onBridge := l.index != index && l.master != 0 &&
			!slices.ContainsFunc(links, func(m link) bool { return m.index == l.master && m.bond })
		known := slices.ContainsFunc(macs, func(m net.HardwareAddr) bool { return bytes.Equal(m, l.mac) })
		if l.mac != nil && !known && !onBridge {
			macs = append(macs, l.mac)
		}
	}
	return macs
}

// beneath returns the interface with this index and all that its frames come in by.
func beneath(links []link, index int) (found []link) {
	want := []int{index}
	for i := 0; i < len(want); i++ {
		for _, l := range links {
			if l.index == want[i] {
				found = append(found, l)
				if l.parent != 0 && !slices.Contains(want, l.parent) {
					want = append(want, l.parent)
				}
			}
			if l.master == want[i] && !slices.Contains(want, l.index) {
				want = append(want, l.index)
			}
		}
	}
	return found
}

func listLinks() ([]link, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(diagTimeout)); err != nil {
		return nil, err
	}
	msgs, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofIfInfomsg),
	})
	if err != nil {
		return nil, err
	}
	var links []link
	for _, m := range msgs {
		l, err := decodeLink(m.Data)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

// decodeLink reads struct ifinfomsg and its attributes.
func decodeLink(data []byte) (l link, err error) {
	if len(data) < unix.SizeofIfInfomsg {
		return l, errors.New("a cut interface")
	}
	ad, err := netlink.NewAttributeDecoder(data[unix.SizeofIfInfomsg:])
	if err != nil {
		return l, err
	}
	l.index = int(int32(binary.NativeEndian.Uint32(data[4:])))
	elsewhere := false
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_IFNAME:
			l.name = ad.String()
		case unix.IFLA_ADDRESS:
			if mac := ad.Bytes(); len(mac) == 6 {
				l.mac = mac
			}
		case unix.IFLA_LINK:
			l.parent = int(ad.Uint32())
		case unix.IFLA_LINK_NETNSID: // the parent is in another namespace: a veth's other end
			elsewhere = true
		case unix.IFLA_MASTER:
			l.master = int(ad.Uint32())
		case unix.IFLA_LINKINFO:
			ad.Nested(l.decodeKind)
		}
	}
	if elsewhere {
		l.parent = 0
	}
	return l, ad.Err()
}

// decodeKind reads whether the interface is a bond, and of what mode.
func (l *link) decodeKind(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_INFO_KIND:
			l.bond = ad.String() == "bond"
		case unix.IFLA_INFO_DATA:
			if !l.bond {
				continue
			}
			ad.Nested(func(data *netlink.AttributeDecoder) error {
				for data.Next() {
					if data.Type() == unix.IFLA_BOND_MODE {
						l.bondMode = data.Uint8()
					}
				}
				return nil
			})
		}
	}
	return nil
}
