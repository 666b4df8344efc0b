package vip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Hosts are the others on an interface's segment, of both families, as the kernel knows them.
type Hosts struct {
	Gateways   []netip.Addr // next hops of default routes by this interface
	Answered   []netip.Addr // it has had their hardware address, or has it still
	Unanswered []netip.Addr // asked for in vain of late
}

// SegmentHosts reads the kernel's neighbours and default routes of an interface, in the calling
// thread's network namespace. The kernel bounds its table (gc_thresh3, by default 1024 of each
// family). A table that changes while it is read may come without some of its entries.
func SegmentHosts(ifi Interface) (Hosts, error) {
	var h Hosts
	neighbours, err := netlink.NeighList(ifi.Index, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return Hosts{}, fmt.Errorf("%s: listing neighbours: %w", ifi.Name, err)
	}
	for _, n := range neighbours {
		addr, ok := netip.AddrFromSlice(n.IP)
		switch {
		case !ok || n.State&unix.NUD_NOARP != 0: // multicast and loopback: nobody was asked
		case n.State&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0:
			h.Unanswered = append(h.Unanswered, addr.Unmap())
		case len(n.HardwareAddr) > 0:
			h.Answered = append(h.Answered, addr.Unmap())
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{LinkIndex: ifi.Index}, netlink.RT_FILTER_OIF)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return Hosts{}, fmt.Errorf("%s: listing routes: %w", ifi.Name, err)
		}
		for _, r := range routes {
			if gateway, ok := netip.AddrFromSlice(r.Gw); ok && isDefault(r) {
				h.Gateways = append(h.Gateways, gateway.Unmap())
			}
		}
	}
	return h, nil
}

// isDefault: the library gives the default route a destination of no bits, or none.
func isDefault(r netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	bits, _ := r.Dst.Mask.Size()
	return bits == 0
}
