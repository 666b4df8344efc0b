package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// checks are all of them, by what they look at.
var checks = []func(Facts) []Finding{
	capabilities, interfaces, owners, vrrp, ports, peers, paths, hearing, keys, configurations, clock, kernel, losslessness, limits, managers,
}

// The capabilities that a keeper needs, by number (capabilities(7)).
var needed = []struct {
	bit  uint
	name string
}{{10, "NET_BIND_SERVICE"}, {12, "NET_ADMIN"}, {13, "NET_RAW"}}

func capabilities(f Facts) []Finding {
	if f.Running != nil {
		return nil
	}
	var missing []string
	for _, c := range needed {
		if f.Caps&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return []Finding{{ID: "capabilities", Level: Good, What: "this user may hold a VIP and speak ARP"}}
	}
	return []Finding{{
		ID: "capabilities-missing", Level: Error, What: "this user lacks " + strings.Join(missing, ", "),
		Why: "a balancer puts the VIP on an interface, answers ARP for it, and listens on ports below 1024",
		Fix: "start it by systemd, with sudo, or: setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep $(command -v tandem)",
	}}
}

// home returns the interfaces in whose subnet a VIP is, or the one that is named.
func (f Facts) home(vip netip.Addr) (all []Interface) {
	for _, i := range f.Interfaces {
		in := slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(vip) })
		if i.Name == f.Wanted.Interface || f.Wanted.Interface == "" && in {
			all = append(all, i)
		}
	}
	return all
}

func interfaces(f Facts) (all []Finding) {
	for _, vip := range f.Wanted.VIPs {
		home := f.home(vip)
		switch {
		case len(home) == 0 && f.Wanted.Interface != "":
			all = append(all, Finding{
				ID: "no-interface", Level: Error, What: "there is no interface " + f.Wanted.Interface,
				Why: "it shall hold " + vip.String(), Fix: "see 'ip link', and name another in [node.NAME] or by --interface",
			})
			continue
		case len(home) == 0:
			all = append(all, Finding{
				ID: "no-subnet", Level: Error, What: fmt.Sprintf("no interface has an address in the subnet of %s", vip),
				Why: "the VIP stands on the interface whose network clients and routers reach it by", Fix: "give the interface an address of that subnet, or choose a VIP of one that is there",
			})
			continue
		case len(home) > 1:
			all = append(all, Finding{
				ID: "two-interfaces", Level: Warning, What: fmt.Sprintf("%s and %s are both in the subnet of %s", home[0].Name, home[1].Name, vip),
				Why: "the VIP may land on the wrong one, and the kernel answers ARP for addresses of both on either", Fix: "name one in [node.NAME] interface, and set net.ipv4.conf.all.arp_ignore=1",
			})
		}
		all = append(all, link(home[0], vip)...)
	}
	return all
}

// link looks at the interface of a VIP.
func link(i Interface, vip netip.Addr) (all []Finding) {
	add := func(id, level, what, why, fix string) {
		all = append(all, Finding{ID: id, Level: level, What: what, Why: why, Fix: fix})
	}
	switch {
	case !i.Up:
		add("interface-down", Error, i.Name+" is down", "it shall hold "+vip.String(), "ip link set "+i.Name+" up")
	case !i.Carrier:
		add("no-carrier", Error, i.Name+" has no carrier", "nothing that this balancer says of "+vip.String()+" leaves it", "look at the cable, the switch port, or the hypervisor's network")
	default:
		add("interface", Good, fmt.Sprintf("%s belongs on %s", vip, i.Name), "", "")
	}
	if i.MTU < 1280 {
		add("small-mtu", Warning, fmt.Sprintf("%s has an MTU of %d", i.Name, i.MTU), "adverts of many VIP groups have up to 1200 bytes, and IPv6 needs 1280", "ip link set "+i.Name+" mtu 1500")
	}
	if i.RPFilter == 1 && !i.Default {
		add("rp-filter", Warning, "rp_filter is strict on "+i.Name+", where the default route does not leave", "the kernel drops what clients beyond a router send to the VIP", "sysctl -w net.ipv4.conf."+i.Name+".rp_filter=2")
	}
	if i.ProxyARP {
		add("proxy-arp", Warning, "proxy_arp is on for "+i.Name, "this host answers ARP for addresses of others, and may for the VIP while a peer has it", "sysctl -w net.ipv4.conf."+i.Name+".proxy_arp=0")
	}
	return all
}

// owners judges who answers for a VIP, and who has it.
func owners(f Facts) (all []Finding) {
	if f.Wanted.Hook {
		return nil
	}
	for _, vip := range f.Wanted.VIPs {
		macs := f.ARP[vip]
		if len(macs) > 1 {
			all = append(all, Finding{
				ID: "two-owners", Level: Error, What: fmt.Sprintf("%s is answered for by %s", vip, strings.Join(macs, " and ")),
				Why: "clients reach now the one and now the other", Fix: "find both MACs in the switch's table; stop the one that is no balancer",
			})
			continue
		}
		if f.Running != nil {
			continue // it defends the VIP, and says so
		}
		for _, i := range f.Interfaces {
			if slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == vip }) {
				all = append(all, Finding{
					ID: "vip-here", Level: Error, What: fmt.Sprintf("%s is on %s of this host, and no balancer runs", vip, i.Name),
					Why: "something else holds it (keepalived, or the network configuration), or a balancer that was killed left it", Fix: "stop that; for what was left: tandem release " + vip.String(),
				})
			}
		}
		if len(macs) == 1 && len(f.Wanted.Peers) == 0 {
			all = append(all, Finding{
				ID: "vip-taken", Level: Error, What: fmt.Sprintf("%s answers for %s, and no peer is configured", macs[0], vip),
				Why: "a balancer does not claim an address that another host has", Fix: "find that host in the switch's table and take the address from it, or choose another VIP",
			})
		} else if len(macs) == 1 {
			all = append(all, Finding{
				ID: "vip-owner", Level: Note, What: fmt.Sprintf("%s answers for %s", macs[0], vip),
				Why: "if that is no balancer of this cluster, this one will end in fault", Fix: "compare with 'ip link' on the peers",
			})
		}
	}
	return all
}

func vrrp(f Facts) (all []Finding) {
	for _, v := range f.VRRP {
		finding := Finding{
			ID: "foreign-vrrp", Level: Note,
			What: fmt.Sprintf("%s speaks VRRP version %d on %s: VRID %d, priority %d, for %s", v.From, v.Version, v.Interface, v.VRID, v.Priority, list(v.Addrs)),
			Why:  "another pair (keepalived, a router) is on this segment; Tandem does not speak VRRP, so neither disturbs the other",
		}
		if i := slices.IndexFunc(v.Addrs, func(a netip.Addr) bool { return slices.Contains(f.Wanted.VIPs, a) }); i >= 0 {
			finding.ID, finding.Level = "vrrp-same-vip", Error
			finding.Why = fmt.Sprintf("it holds or wants %s as well: there would be two owners", v.Addrs[i])
			finding.Fix = "stop keepalived there, or take the address out of its configuration ('tandem import keepalived.conf' reads it)"
		}
		all = append(all, finding)
	}
	return all
}

func list(addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

func clock(f Facts) (all []Finding) {
	const why = "the timelines of the balancers are compared by their clocks, and certificates are judged by them; the election does not need them"
	if f.Synced != nil && !*f.Synced {
		all = append(all, Finding{ID: "clock-unsynced", Level: Warning, What: "the clock is not synchronised", Why: why, Fix: "start chrony or systemd-timesyncd"})
	}
	for _, p := range f.Peers {
		if p.Offset != nil && p.Offset.Abs() > 2*time.Second {
			all = append(all, Finding{
				ID: "clock-offset", Level: Warning, What: fmt.Sprintf("the clock of %s differs by about %v", p.Peer, p.Offset.Round(time.Second)), Why: why,
				Fix: "synchronise both with the same servers",
			})
		}
	}
	return all
}
