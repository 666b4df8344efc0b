package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Neighbour asks the kernel where the host sends what is for an address on one of its segments: the MAC in its ARP or NDP cache,
// or nil when there is none yet. It asks nobody on the wire.
func (h *Host) Neighbour(ip netip.Addr) (net.HardwareAddr, error) {
	m, err := h.machine()
	if err != nil {
		return nil, err
	}
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	var list []netlink.Neigh
	err = m.ask(func(nl *netlink.Handle) (err error) {
		for range 10 { // the list may change while it is read
			if list, err = nl.NeighList(0, family); !errors.Is(err, netlink.ErrDumpInterrupted) {
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %s: neighbours: %w", h.name, err)
	}
	const known = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
	for _, n := range list {
		if n.IP.Equal(ip.AsSlice()) && n.State&known != 0 {
			return n.HardwareAddr, nil
		}
	}
	return nil, nil
}
