package config

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// checker turns raw values into checked ones and collects what is wrong.
type checker struct {
	binder
	readFile func(string) ([]byte, error) // an error of errTooOpen comes with the data
	now      func() time.Time
	warnings Errors
}

// warn adds what is worth knowing and no error.
func (c *checker) warn(at place, msg, remedy string) {
	c.warnings = append(c.warnings, at.error(msg, remedy))
}

// check turns a whole raw configuration into a checked one.
func (c *checker) check(path string, raw *rawConfig) *Config {
	cfg := &Config{
		Path:    path,
		Nodes:   map[string]Node{},
		Cluster: c.cluster(&raw.Cluster),
		Control: c.control(&raw.Control), AccessLog: c.access(&raw.Access),
		Proxy: Proxy{Loops: raw.Proxy.Loops.V, MaxConn: raw.Proxy.MaxConn.V, OrphanTime: raw.Proxy.OrphanTime.V, Timeout: raw.Proxy.Timeout.V, DrainTime: raw.Proxy.DrainTime.V},
		Log:   Log{Level: level(raw.Log.Level)},
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Node)) {
		n := raw.Node[name]
		c.name(text{V: name, Set: true, At: n.Key}, "the node's name")
		cfg.Nodes[name] = c.node(name, n)
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Pool)) {
		cfg.Pools = append(cfg.Pools, c.pool(name, raw.Pool[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Track)) {
		cfg.Tracks = append(cfg.Tracks, c.track(name, raw.Track[name]))
	}
	cfg.VIPs = c.vips(raw.VIP)
	cfg.Frontends = c.frontends(raw.Frontend, cfg)
	cfg.Hooks, cfg.Templates = c.hooks(raw.Hook), c.templates(raw.Template)
	c.ports(raw, cfg)
	c.coverage(raw, cfg)
	c.circles(raw, cfg)
	c.redirects(raw, cfg)
	cfg.Warnings = c.warnings
	return cfg
}

// sorted returns the errors in the order of the file, or nil.
func (c *checker) sorted() error {
	if len(c.errs) == 0 {
		return nil
	}
	sort.SliceStable(c.errs, func(i, j int) bool {
		a, b := c.errs[i], c.errs[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	return c.errs
}

// label is what node, pool, frontend, group and VIP names are made of. They
// travel in gossip and stand in metrics and in shell commands.
var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:-]{0,61}[A-Za-z0-9])?$`)

// name reports a name that is no label.
func (c *checker) name(t text, what string) {
	if !t.Bad && !label.MatchString(t.V) {
		c.add(t.At, fmt.Sprintf("%s cannot be %q", what, t.V),
			"use 1 to 63 letters, digits, dots, colons, dashes and underscores, with a letter or digit at both ends")
	}
}

// device reports what cannot be the name of a network interface (IFNAMSIZ is
// 16, with the final zero).
func (c *checker) device(t text) string {
	if t.Set && !t.Bad && (len(t.V) > 15 || strings.ContainsAny(t.V, "/ \t") || t.V == "." || t.V == "..") {
		c.add(t.At, fmt.Sprintf("no network interface can be called %q", t.V), "see: ip link")
	}
	return t.V
}

func (c *checker) node(name string, raw *rawNode) Node {
	n := Node{Name: name, Interface: c.device(raw.Interface), Priority: uint8(raw.Priority.V)}
	if raw.Advertise.Set && !raw.Advertise.Bad {
		n.Advertise, _ = c.unicast(raw.Advertise)
	}
	return n
}

// unicast parses an address that one host can have.
func (c *checker) unicast(t text) (netip.Addr, bool) {
	a, err := netip.ParseAddr(t.V)
	if err != nil {
		c.add(t.At, fmt.Sprintf("%q is not an IP address", t.V), addressRemedy(t.V))
		return a, false
	}
	why := ""
	switch {
	case a.Is4In6():
		c.add(t.At, fmt.Sprintf("%s is an IPv4 address in IPv6 dress", a), "write "+a.Unmap().String())
		return a, false
	case a.Zone() != "":
		why = "has a zone"
	case a.IsUnspecified():
		why = "means all addresses, not one"
	case a.IsLoopback():
		why = "is a loopback address, which no other host can reach"
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		why = "is for many hosts, not one"
	case a.Is6() && a.IsLinkLocalUnicast():
		why = "is link-local: it means something else on each interface"
	default:
		return a, true
	}
	c.add(t.At, fmt.Sprintf("%s %s", a, why), "give an address that clients can reach")
	return a, false
}

// addressRemedy guesses what was meant by a text that is no address.
func addressRemedy(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return fmt.Sprintf("write %s: the prefix is found from the interface's subnet", p.Addr())
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return fmt.Sprintf("write %s without a port", ap.Addr())
	}
	return `for example "192.168.42.42" or "2001:db8::42"`
}

// bind parses an address and port to listen on; an empty host means all
// addresses and gives an invalid Addr.
func (c *checker) bind(t text) (netip.AddrPort, bool) {
	if t.Bad {
		return netip.AddrPort{}, false
	}
	ap, ok := parseListen(t.V)
	if !ok {
		c.add(t.At, fmt.Sprintf("%q is not an address and port to listen on", t.V), listenRemedy(t.V))
		return ap, false
	}
	if ap.Addr().Is4In6() || ap.Addr().Zone() != "" || ap.Addr().IsMulticast() {
		c.add(t.At, fmt.Sprintf("cannot listen on %s", ap), `for example ":80", "192.168.42.42:80" or "[2001:db8::42]:80"`)
		return ap, false
	}
	return ap, true
}

func parseListen(s string) (netip.AddrPort, bool) {
	if digits, found := strings.CutPrefix(s, ":"); found {
		port, err := strconv.ParseUint(digits, 10, 16)
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), err == nil && port > 0 && digits[0] != '0'
	}
	ap, err := netip.ParseAddrPort(s)
	return ap, err == nil && ap.Port() > 0
}

func listenRemedy(s string) string {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return fmt.Sprintf("write %q for all addresses", ":"+s)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return fmt.Sprintf("add a port: %q", netip.AddrPortFrom(a, 80))
	}
	if rest, found := strings.CutPrefix(s, "*:"); found {
		return fmt.Sprintf("write %q for all addresses", ":"+rest)
	}
	return `for example ":80" for all addresses, "192.168.42.42:80", "[2001:db8::42]:80"; ports are 1 to 65535`
}

// directory checks the path of a directory, which need not be there yet.
func (c *checker) directory(t text) string {
	if t.Set && !t.Bad && !filepath.IsAbs(t.V) && !strings.HasPrefix(t.V, "/") {
		c.add(t.At, fmt.Sprintf("the directory's path %q is not absolute", t.V), "begin it with /")
	}
	return t.V
}

// socket checks the path of a unix socket: sun_path holds 107 bytes and a
// final zero.
func (c *checker) socket(t text) string {
	switch {
	case t.Bad:
	case !filepath.IsAbs(t.V) && !strings.HasPrefix(t.V, "/"):
		c.add(t.At, fmt.Sprintf("the socket's path %q is not absolute", t.V), "begin it with /")
	case len(t.V) > 107:
		c.add(t.At, fmt.Sprintf("the socket's path has %d bytes, more than the 107 a unix socket can have", len(t.V)), "use a shorter one")
	}
	return t.V
}

// level reads the name of a log level, which the schema has checked.
func level(t text) (l slog.Level) {
	if !t.Bad {
		l.UnmarshalText([]byte(t.V))
	}
	return l
}
