package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// host is a DNS name (RFC 1123, 2.1; underscores as Docker uses them).
var host = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$`)

func (c *checker) cluster(raw *rawCluster) Cluster {
	cl := Cluster{AdvertPort: uint16(raw.AdvertPort.V), AdvertInterval: raw.AdvertInterval.V}
	c.policy(raw.Policy)
	cl.Join = c.seeds(raw.Join)
	cl.Gossip, _ = c.bind(raw.Gossip)
	cl.GossipKeys = c.keyFile(raw.GossipKeyFile)
	cl.BalancerKeys = c.keyFile(raw.BalancerKeyFile)
	if i := sharedKey(cl.BalancerKeys, cl.GossipKeys); i >= 0 {
		c.add(raw.BalancerKeyFile.At, fmt.Sprintf("key %d of the balancers is a gossip key too: every app that holds it could move the VIP", i+1),
			"balancers need a key of their own: tandem keygen balancer.key")
	}
	if cl.Gossip.Port() == cl.AdvertPort && !raw.Gossip.Bad && !raw.AdvertPort.Bad {
		at := raw.Gossip.At
		if raw.AdvertPort.Set {
			at = raw.AdvertPort.At
		}
		c.add(at, fmt.Sprintf("gossip and adverts cannot share port %d", cl.AdvertPort), "change one of gossip and advert_port")
	}
	return cl
}

func (c *checker) seeds(l list) []string {
	var seeds []string
	for _, t := range l.V {
		if !isSeed(t.V) {
			c.add(t.At, fmt.Sprintf("%q is neither a host nor a host and port", t.V), seedRemedy(t.V))
			continue
		}
		seeds = append(seeds, t.V)
	}
	return seeds
}

// policy: whoever asks for safety must not get availability in silence.
func (c *checker) policy(t text) {
	if t.V == "safety" {
		c.add(t.At, `policy "safety" (a VIP is held with the votes of a majority only) does not exist yet`,
			`write "availability", which lets both parts of a divided network hold the VIP`)
	}
}

// isSeed tells whether s is an address or host name, with or without a port.
func isSeed(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return !a.IsUnspecified() && !a.IsMulticast()
	}
	name, port, err := net.SplitHostPort(s)
	if err != nil {
		return isHost(s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return false
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return !a.IsUnspecified() && !a.IsMulticast()
	}
	return isHost(name)
}

// isHost tells whether s can be a host name. A name whose last part is a
// number is a mistyped address.
func isHost(s string) bool {
	last := strings.TrimSuffix(s, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if _, err := strconv.Atoi(last); err == nil {
		return false
	}
	return len(s) <= 253 && host.MatchString(s)
}

func seedRemedy(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return fmt.Sprintf("write %q", p.Addr().String())
	}
	if strings.Contains(s, ",") {
		return "write a list: [\"lb1\", \"lb2\"]"
	}
	return `for example "192.168.42.11", "lb1.example.com" or "[2001:db8::11]:7946"`
}
