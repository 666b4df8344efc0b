package membership

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// lookupTime bounds what is waited for the names of seeds, where only they can tell which address to advertise.
const lookupTime = 2 * time.Second

// surroundings are what the choice of an address depends on beside the Config.
type surroundings struct {
	own     []netip.Prefix                             // of the interfaces that are up
	source  func(to netip.AddrPort) (netip.Addr, bool) // from which the kernel would talk to it
	resolve func(seed) ([]netip.AddrPort, error)
}

// chooseAdvertise finds the address that others reach this host at; Config.Advertise says in which order.
func chooseAdvertise(cfg Config) (netip.Addr, error) {
	own, err := hostAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	return surroundings{own, sourceFor, func(s seed) ([]netip.AddrPort, error) {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
		defer cancel()
		return s.addrs(ctx, cfg.Resolve)
	}}.choose(cfg)
}

func (s surroundings) choose(cfg Config) (netip.Addr, error) {
	if cfg.Advertise.IsValid() {
		return cfg.Advertise.Unmap(), nil
	}
	if bind := cfg.Bind.Addr(); bind.IsValid() && !bind.IsUnspecified() {
		return bind.Unmap(), nil
	}
	if addr, ok := s.named(cfg.Seeds); ok {
		return addr, nil
	}
	if addr, ok := s.near(cfg.Near); ok {
		return addr, nil
	}
	if addr, ok := s.toSeeds(cfg.Seeds); ok {
		return addr, nil
	}
	if addr, ok := bestOf(s.own); ok {
		return addr, nil
	}
	return netip.Addr{}, errors.New("membership: this host has no address that others could reach; bring a network up, or name the one to advertise")
}

// named returns the own address that is one of the seeds: balancers name all of them, so each names itself.
func (s surroundings) named(seeds []string) (netip.Addr, bool) {
	for _, text := range seeds {
		addr, err := parseSeedAddr(text)
		for _, p := range s.own {
			if err == nil && p.Addr() == addr.Addr() && !p.Addr().IsLoopback() && plausible(p.Addr(), s.own) {
				return p.Addr(), true
			}
		}
	}
	return netip.Addr{}, false
}

// near returns the own address on the network of the first of vips that is on one.
func (s surroundings) near(vips []netip.Addr) (netip.Addr, bool) {
	for _, vip := range vips {
		for _, p := range s.own {
			if p.Contains(vip) && p.Addr() != vip && !p.IsSingleIP() && p.Addr().IsGlobalUnicast() {
				return p.Addr(), true
			}
		}
	}
	return netip.Addr{}, false
}

// toSeeds returns the address from which the kernel would talk to the first seed that it would talk to from a plausible
// one. Names are looked up where it matters: they may not be known yet, and to wait for that holds everything up.
func (s surroundings) toSeeds(seeds []string) (netip.Addr, bool) {
	var names []seed
	for _, text := range seeds {
		parsed, err := parseSeed(text)
		switch {
		case err != nil:
		case !parsed.addr.IsValid():
			names = append(names, parsed)
		default:
			if from, ok := s.source(parsed.addr); ok && plausible(from, s.own) {
				return from, true
			}
		}
	}
	if networks(s.own) < 2 {
		return netip.Addr{}, false
	}
	for _, name := range names[:min(len(names), maxNamesLookedUp)] {
		addrs, err := s.resolve(name)
		if err != nil {
			continue
		}
		for _, addr := range addrs {
			if from, ok := s.source(addr); ok && !from.IsLoopback() && plausible(from, s.own) {
				return from, true
			}
		}
	}
	return netip.Addr{}, false
}

// maxNamesLookedUp bounds how long the choice may take: each name may take lookupTime.
const maxNamesLookedUp = 3

// networks counts the networks that this host could be reached on.
func networks(own []netip.Prefix) int {
	count := map[netip.Prefix]bool{}
	for _, p := range own {
		if p.Addr().IsGlobalUnicast() && !p.IsSingleIP() {
			count[p.Masked()] = true
		}
	}
	return len(count)
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
