package config

import (
	"fmt"
	"net/netip"
	"strings"
)

func (c *checker) pool(name string, raw *rawPool) Pool {
	c.name(text{V: name, Set: true, At: raw.Key}, "the pool's name")
	p := Pool{
		Name: name, Policy: raw.Policy.V,
		ConnectTimeout: raw.ConnectTimeout.V, ServerTimeout: raw.ServerTimeout.V,
		IdleTimeout: raw.IdleTimeout.V, MaxIdle: raw.MaxIdle.V, Retries: raw.Retries.V,
	}
	p.Hash = c.hash(raw)
	p.SendProxy = map[string]int{"v1": 1, "v2": 2}[raw.SendProxy.V]
	p.TLS = c.poolTLS(name, &raw.TLS)
	c.protocol(raw, &p)
	p.Check = c.poolCheck(&raw.Check, &p)
	seen := map[netip.AddrPort]place{}
	for _, t := range raw.Backends.V {
		if b, ok := c.backend(t); ok {
			once(c, seen, b.Addr, t.At, "the backend "+b.Addr.String())
			p.Backends = append(p.Backends, b)
		}
	}
	p.BackupTags, p.SlowStart, p.PanicThreshold = c.tags(raw.BackupTags), raw.SlowStart.V, raw.PanicThreshold.V
	p.RetryBudget = RetryBudget{Percent: raw.RetryBudget.V, PerSecond: raw.RetryBudgetFloor.V}
	p.Outlier = outlier(&raw.Outlier)
	p.Sticky = c.sticky(name, &raw.Sticky)
	p.MaxConn, p.Queue, p.QueueTimeout = raw.MaxConn.V, raw.Queue.V, raw.QueueTimeout.V
	p.MinBackends, p.MinAfter = raw.MinBackends.V, raw.MinAfter.V
	p.Allow, p.SpeakFor = c.networks(raw.Allow), c.networks(raw.SpeakFor)
	p.AllowTags = c.tags(raw.AllowTags)
	return p
}

// tags parses "key=value" each.
func (c *checker) tags(l list) [][2]string {
	var tags [][2]string
	for _, t := range l.V {
		key, value, ok := strings.Cut(t.V, "=")
		if !ok || key == "" {
			c.add(t.At, fmt.Sprintf("%q is not a tag", t.V), `write key=value, as in "zone=a"`)
			continue
		}
		tags = append(tags, [2]string{key, value})
	}
	return tags
}

func (c *checker) networks(l list) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range l.V {
		prefix, err := netip.ParsePrefix(t.V)
		switch {
		case err != nil:
			c.add(t.At, fmt.Sprintf("%q is not a network", t.V), allowRemedy(t.V))
		case prefix.Addr().Is4In6():
			c.add(t.At, fmt.Sprintf("%q is an IPv4 network in IPv6's clothes", t.V), `write it as IPv4, as in "10.0.0.0/8"`)
		case prefix != prefix.Masked():
			c.add(t.At, fmt.Sprintf("%s is a host in its network, not the network", t.V), fmt.Sprintf("write %q", prefix.Masked()))
		default:
			all = append(all, prefix)
		}
	}
	return all
}

// backendRemedy explains what a static backend must be. Host names are
// refused: the file must mean the same on both balancers and at every start,
// also while the name server is down.
func backendRemedy(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return fmt.Sprintf("add a port: %q", netip.AddrPortFrom(a, 3000))
	}
	if name, _, found := strings.Cut(s, ":"); found && isHost(name) {
		return `write the address, as in "10.0.0.21:3000"; where addresses change, run "tandem agent" beside the app`
	}
	return `for example "10.0.0.21:3000" or "[2001:db8::21]:3000"`
}

func allowRemedy(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return fmt.Sprintf("write %q for this one host", netip.PrefixFrom(a, a.BitLen()))
	}
	return `for example "10.0.0.0/8" or "2001:db8::/32"`
}

// circles reports backends that are this balancer's own frontends: requests
// would run in circles.
func (c *checker) circles(raw *rawConfig, cfg *Config) {
	own := map[netip.AddrPort]bool{}
	for _, v := range cfg.VIPs {
		for _, f := range cfg.Frontends {
			if v.Address.IsValid() && f.Listen.Port() != 0 && covers(f.Listen.Addr(), v.Address) {
				own[netip.AddrPortFrom(v.Address, f.Listen.Port())] = true
			}
		}
	}
	for _, p := range raw.Pool {
		for _, t := range p.Backends.V {
			if ap, err := netip.ParseAddrPort(firstWord(t.V)); err == nil && own[ap] {
				c.add(t.At, fmt.Sprintf("%s is a frontend of these balancers: requests would run in circles", ap), "give the app's own address")
			}
		}
	}
}
