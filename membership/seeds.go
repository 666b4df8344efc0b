package membership

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// seed is one place where others may be found: an address, or a name that stands for all its addresses.
type seed struct {
	text string
	addr netip.AddrPort // if it is an address
	host string         // else
	port uint16
}

// parseSeed reads "IP", "IP:port", "[IPv6]:port", "name" or "name:port".
func parseSeed(text string) (seed, error) {
	if addr, err := parseSeedAddr(text); err == nil {
		return seed{text: addr.String(), addr: addr}, nil
	}
	host, port := text, uint64(DefaultPort)
	if h, p, err := net.SplitHostPort(text); err == nil {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return seed{}, fmt.Errorf("membership: seed %q: %q is not a port", text, p)
		}
		host = h
	}
	if host == "" || strings.ContainsAny(host, ":/ \t[]") {
		return seed{}, fmt.Errorf("membership: seed %q is none of IP, IP:port, name, name:port", text)
	}
	return seed{text: text, host: host, port: uint16(port)}, nil
}

// parseSeedAddr reads a seed that is an address.
func parseSeedAddr(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip.Unmap(), DefaultPort), nil
	}
	addr, err := netip.ParseAddrPort(text)
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), err
}

// addrs returns all addresses of the seed as they are now.
func (s seed) addrs(ctx context.Context, resolve resolveFunc) ([]netip.AddrPort, error) {
	if s.addr.IsValid() {
		return []netip.AddrPort{s.addr}, nil
	}
	ips, err := resolve(ctx, s.host)
	if err != nil {
		return nil, fmt.Errorf("membership: seed %s: %w", s.text, err)
	}
	found := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		found = append(found, netip.AddrPortFrom(ip.Unmap(), s.port))
	}
	return found, nil
}

type resolveFunc = func(ctx context.Context, host string) ([]netip.Addr, error)

func systemResolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
