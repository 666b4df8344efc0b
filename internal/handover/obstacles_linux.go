package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Obstacles returns what can be seen on this node, in the calling thread's network
// namespace, that keeps a table on the device from forwarding to the peers' addresses. What
// cannot be asked is no obstacle.
func Obstacles(device string, peers ...netip.Addr) (why []string) {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return []string{fmt.Sprintf("device %s: %v", device, err)}
	}
	why = offLink(ifi, peers)
	links, err := listLinks()
	if err != nil {
		return append(why, fmt.Sprintf("list interfaces: %v", err))
	}
	for _, l := range beneath(links, ifi.Index) {
		if l.bond && (l.bondMode == bondTLB || l.bondMode == bondALB) {
			why = append(why, fmt.Sprintf("%s is a bond of mode %d, which changes hardware addresses; "+
				"use active-backup, 802.3ad or balance-xor", l.name, l.bondMode))
		}
		if lro(l.name) {
			why = append(why, fmt.Sprintf("LRO is on at %s, and what it merges cannot be forwarded; "+
				"turn it off: ethtool -K %s lro off", l.name, l.name))
		}
	}
	return why
}

// offLink names the peers that are in no subnet of the interface.
func offLink(ifi *net.Interface, peers []netip.Addr) (why []string) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return []string{fmt.Sprintf("addresses of %s: %v", ifi.Name, err)}
	}
	for _, p := range unmapped(peers) {
		near := func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && prefix.Contains(p)
		}
		if !slices.ContainsFunc(addrs, near) {
			why = append(why, fmt.Sprintf("%v is in no subnet of %s: the nodes must be on one segment", p, ifi.Name))
		}
	}
	return why
}

// Modes of a bond that balance by hardware addresses, linux/if_bonding.h.
const (
	bondTLB = 5
	bondALB = 6
)

// link is an interface as the kernel describes it.
type link struct {
	index, parent, master int // parent: below a VLAN; master: the bridge or bond it is a port of
	name                  string
	bond                  bool
	bondMode              byte
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

// lro asks the driver whether it merges segments of TCP on arrival (ethtool -k).
func lro(device string) bool {
	const (
		getFlags = 0x25    // ETHTOOL_GFLAGS
		flagLRO  = 1 << 15 // ETH_FLAG_LRO
	)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{command: getFlags} // struct ethtool_value
	request := struct {                                        // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return errno == 0 && value.data&flagLRO != 0
}
