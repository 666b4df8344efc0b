package config

import (
	"fmt"
	"net/netip"
)

// statusOff is the word for no status page at all.
const statusOff = "off"

// private are the networks that nobody routes on the internet: loopback, link-local, and
// those of RFC 1918 and RFC 4193.
var private = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fc00::/7"),
}

func (c *checker) control(raw *rawControl) Control {
	ctl := Control{Socket: c.socket(raw.Socket), StateDir: c.directory(raw.StateDir)}
	if raw.Status.V != statusOff {
		ctl.Status, _ = c.bind(raw.Status)
	}
	ctl.StatusAllow = c.networks(raw.StatusAllow)
	switch {
	case !raw.StatusAllow.Set:
		ctl.StatusAllow = private
	case len(raw.StatusAllow.V) == 0 && !raw.StatusAllow.Bad:
		c.add(raw.StatusAllow.At, "nobody may see the status page", fmt.Sprintf("write status = %q to have none, or leave status_allow out", statusOff))
	}
	for _, h := range raw.StatusHosts.V {
		if !host.MatchString(h.V) {
			c.add(h.At, fmt.Sprintf("%q is not the name of a host", h.V), `write it as in the browser, without "http://" and a port: "lb.example.com"`)
			continue
		}
		ctl.StatusHosts = append(ctl.StatusHosts, h.V)
	}
	ctl.AdminTokens = c.keyFile(raw.AdminTokenFile)
	return ctl
}
