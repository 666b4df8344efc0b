package membership

import (
	"errors"
	"net"
	"net/netip"
)

// chooseAdvertise finds the address that others reach this host at; Config.Advertise says in which order.
func chooseAdvertise(cfg Config) (netip.Addr, error) {
	if cfg.Advertise.IsValid() {
		return cfg.Advertise.Unmap(), nil
	}
	if bind := cfg.Bind.Addr(); bind.IsValid() && !bind.IsUnspecified() {
		return bind.Unmap(), nil
	}
	own, err := hostAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, seed := range cfg.Seeds {
		if addr, err := parseSeedAddr(seed); err == nil {
			if from, ok := sourceFor(addr); ok && plausible(from, own) {
				return from, nil
			}
		}
	}
	if addr, ok := bestOf(own); ok {
		return addr, nil
	}
	return netip.Addr{}, errors.New("membership: this host has no address that others could reach; bring a network up or name one to advertise")
}

// sourceFor returns the address from which the kernel would talk to addr. No packet is sent: UDP connects in silence.
func sourceFor(addr netip.AddrPort) (netip.Addr, bool) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return local.WithZone(""), !local.IsUnspecified()
}

// plausible reports whether from is not a mere host address (a VIP is one) while a better one exists.
func plausible(from netip.Addr, own []netip.Prefix) bool {
	if from.IsLoopback() {
		return true // the seed is on this host, so everybody is
	}
	best, ok := bestOf(own)
	for _, p := range own {
		if p.Addr() == from && !p.IsSingleIP() {
			return true
		}
	}
	return !ok || best == from
}

// bestOf returns the first address that others could reach: IPv4 first, host addresses last.
func bestOf(own []netip.Prefix) (netip.Addr, bool) {
	for _, single := range []bool{false, true} {
		for _, v4 := range []bool{true, false} {
			for _, p := range own {
				a := p.Addr()
				if p.IsSingleIP() == single && a.Is4() == v4 && a.IsGlobalUnicast() {
					return a, true
				}
			}
		}
	}
	return netip.Addr{}, false
}

// hostAddrs returns the addresses of all interfaces that are up.
func hostAddrs() ([]netip.Prefix, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var own []netip.Prefix
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()))
			}
		}
	}
	return own, nil
}
