package handover

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"unsafe"

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
