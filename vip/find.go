package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Find returns the interface that should hold addr: one that is up, is not a
// loopback, and has an address of its own in addr's subnet. Of several the one
// with the longest prefix is taken. A name overrides the search: that interface is
// taken even when its addresses lie in other subnets. The error lists what was
// looked at, and the remedy.
func Find(addr netip.Addr, name string) (Interface, error) {
	all, err := interfaces()
	if err != nil {
		return Interface{}, fmt.Errorf("vip: listing interfaces: %w", err)
	}
	ifi, err := choose(all, addr.Unmap(), name)
	if err != nil {
		return Interface{}, fmt.Errorf("vip: no interface for %s: %w", addr, err)
	}
	return ifi, nil
}

// candidate is an interface as the search sees it.
type candidate struct {
	net.Interface
	addrs []netip.Prefix
}

func interfaces() ([]candidate, error) {
	ifis, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, ifi := range ifis {
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		c := candidate{Interface: ifi}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				c.addrs = append(c.addrs, p)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// choose is Find without the system.
func choose(all []candidate, addr netip.Addr, name string) (Interface, error) {
	var best candidate
	var own netip.Prefix
	rivals := 0
	for _, c := range all {
		if name != "" && c.Name != name {
			continue
		}
		p, err := c.ownAddr(addr, name != "")
		switch {
		case errors.Is(err, errIsOwn):
			return Interface{}, err
		case err != nil || c.unusable() != "":
		case !own.IsValid() || p.Bits() > own.Bits():
			best, own, rivals = c, p, 1
		case p.Bits() == own.Bits():
			rivals++
		}
	}
	switch {
	case rivals == 0:
		return Interface{}, errors.New(lookedAt(all, addr, name))
	case rivals > 1:
		return Interface{}, fmt.Errorf("%d interfaces are in %s; name one of them (%s)", rivals, own.Masked(), lookedAt(all, addr, name))
	}
	return Interface{Name: best.Name, Index: best.Index, MAC: best.HardwareAddr, Addr: own, Own: best.addrs}, nil
}

var errIsOwn = errors.New("it is an address of this node itself; choose another VIP")

// ownAddr returns the address by which the interface belongs to addr's subnet. With
// any set, another address of the same family will do.
func (c candidate) ownAddr(addr netip.Addr, any bool) (netip.Prefix, error) {
	var other netip.Prefix
	for _, p := range c.addrs {
		switch {
		case p.Addr() == addr && !p.IsSingleIP():
			return netip.Prefix{}, fmt.Errorf("%s has %s: %w", c.Name, p, errIsOwn)
		case p.Addr() == addr:
			// Perhaps left over from an earlier run: Run sorts that out.
		case p.Contains(addr):
			return p, nil
		case p.Addr().Is4() == addr.Is4() && (!other.IsValid() || other.IsSingleIP()):
			other = p // better than an address alone, which may be another VIP
		}
	}
	if any && other.IsValid() {
		return other, nil
	}
	return netip.Prefix{}, errors.New("not in the subnet")
}

// unusable returns why the interface cannot hold a VIP, or nothing.
func (c candidate) unusable() string {
	switch {
	case c.Flags&net.FlagLoopback != 0:
		return "loopback"
	case c.Flags&net.FlagUp == 0:
		return "down"
	case len(c.HardwareAddr) != 6:
		return "not Ethernet"
	}
	return ""
}

// lookedAt tells what was considered, and what to do.
func lookedAt(all []candidate, addr netip.Addr, name string) string {
	var seen []string
	for _, c := range all {
		var parts []string
		for _, p := range c.addrs {
			parts = append(parts, p.String())
		}
		if why := c.unusable(); why != "" {
			parts = append(parts, why)
		}
		if len(parts) == 0 {
			parts = []string{"no address"}
		}
		seen = append(seen, c.Name+": "+strings.Join(parts, " "))
	}
	remedy := fmt.Sprintf("give one an address in the subnet of %s, or name an interface", addr)
	if name != "" {
		remedy = fmt.Sprintf("%s must exist, be up and have an IPv4 or IPv6 address like %s", name, addr)
	}
	return fmt.Sprintf("looked at %s; %s", strings.Join(seen, ", "), remedy)
}

// ownFor returns the address by which this node asks for addr's hardware address on the
// interface; invalid if it has none of the family. For IPv6 it is the link-local one, which
// neither a new prefix nor privacy extensions take away; for IPv4 one in addr's subnet. An
// address alone in its subnet may be another VIP, and is taken only in need (IPv4).
func (i Interface) ownFor(addr netip.Addr) netip.Addr {
	var best netip.Addr
	rank := 0
	for _, p := range append([]netip.Prefix{i.Addr}, i.Own...) {
		a := p.Addr()
		r := 0
		switch {
		case !p.IsValid() || a.Is4() != addr.Is4() || a == addr:
		case a.Is6() && a.IsLinkLocalUnicast():
			r = 4
		case !p.IsSingleIP() && p.Contains(addr):
			r = 3
		case !p.IsSingleIP():
			r = 2
		case a.Is4():
			r = 1
		}
		if r > rank {
			best, rank = a, r
		}
	}
	return best
}
