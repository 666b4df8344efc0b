package handover

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Defaults and bounds of Config.
const (
	DefaultDrain    = 5 * time.Minute
	MaxDrain        = 24 * time.Hour
	DefaultMaxFlows = 1 << 20

	maxVIPs = 64
	maxMACs = 16
	margin  = time.Minute // that a table remembers flows for beyond the drain's deadline
)

// Errors to branch on.
var (
	// ErrClosed says that the Table was closed.
	ErrClosed = errors.New("closed")
	// ErrUnsupported says that this kernel cannot forward at an interface's ingress.
	ErrUnsupported = errors.New("this kernel cannot forward in nftables' netdev family " +
		"(CONFIG_NF_TABLES_NETDEV, CONFIG_NFT_FWD_NETDEV, CONFIG_INET_DIAG)")
	// ErrTooMany says that a bound was reached.
	ErrTooMany = errors.New("too many connections")
)

// Config says what a Table forwards, and to whom.
type Config struct {
	// Group names the VIPs' group in the table's name, so that Clean finds what an earlier run
	// left. Any text; empty is a group as well.
	Group string
	// Device is the interface that packets for the VIPs come in by, and leave by.
	Device string
	// VIPs are forwarded, 1 to 64 of them, of either family.
	VIPs []netip.Addr
	// Peers are the peer's own addresses on Device's segment: for each family that a VIP is of
	// the first one counts.
	Peers []netip.Addr
	// PeerMACs are all hardware addresses that the peer sends from, 1 to 16. Frames from them
	// are never forwarded: that is what keeps a packet from going round for ever.
	PeerMACs []net.HardwareAddr
	// Drain is how long the peer may take to end its connections; 0: 5 minutes, at most a day.
	// The table knows its own node's connections for a minute longer. It does not end by
	// itself: Close it.
	Drain time.Duration
	// MaxFlows bounds the connections of this node that the table knows, by family; 0: 2^20.
	// What comes in beyond goes to the peer, which still serves.
	MaxFlows int
}

// checked returns the config with its defaults, in a form that netip compares.
func (c Config) checked() (Config, error) {
	c.VIPs, c.Peers = unmapped(c.VIPs), unmapped(c.Peers)
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.MaxFlows == 0 {
		c.MaxFlows = DefaultMaxFlows
	}
	switch {
	case c.Device == "":
		return c, errors.New("handover: no device")
	case len(c.VIPs) == 0 || len(c.VIPs) > maxVIPs:
		return c, fmt.Errorf("handover: %d VIPs; 1 to %d are allowed", len(c.VIPs), maxVIPs)
	case len(c.PeerMACs) == 0 || len(c.PeerMACs) > maxMACs:
		return c, fmt.Errorf("handover: %d hardware addresses of the peer; 1 to %d are allowed", len(c.PeerMACs), maxMACs)
	case c.Drain < time.Second || c.Drain > MaxDrain:
		return c, fmt.Errorf("handover: a drain of %v; 1 s to %v are allowed", c.Drain, MaxDrain)
	case c.MaxFlows < 1 || c.MaxFlows > 1<<24:
		return c, fmt.Errorf("handover: at most %d flows; 1 to 2^24 are allowed", c.MaxFlows)
	}
	for _, mac := range c.PeerMACs {
		if len(mac) != 6 {
			return c, fmt.Errorf("handover: the peer's hardware address %v is not Ethernet's", mac)
		}
	}
	for _, vip := range c.VIPs {
		peer, ok := c.peerOf(vip)
		switch {
		case !vip.IsValid():
			return c, errors.New("handover: an invalid VIP")
		case !ok:
			return c, fmt.Errorf("handover: the peer has no address of the family of %v", vip)
		case slices.Contains(c.VIPs, peer):
			return c, fmt.Errorf("handover: the peer's own address %v is a VIP: packets would come back", peer)
		}
	}
	return c, nil
}

// peerOf returns the peer's address of the VIP's family.
func (c Config) peerOf(vip netip.Addr) (netip.Addr, bool) {
	i := slices.IndexFunc(c.Peers, func(p netip.Addr) bool { return p.IsValid() && p.Is4() == vip.Is4() })
	if i < 0 {
		return netip.Addr{}, false
	}
	return c.Peers[i], true
}

func unmapped(addrs []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		out[i] = a.Unmap().WithZone("")
	}
	return out
}

// Flow is a TCP connection of a client to a VIP, as the two address each other.
type Flow struct {
	Client netip.AddrPort // without a zone
	Server netip.AddrPort // the VIP and its port
}

// Stats is what a Table has done.
type Stats struct {
	Owned     bool   // the kernel removes the table if this process dies
	Seeded    int    // this node's own connections at the start
	Forwarded uint64 // packets sent on to the peer; one that was merged on arrival counts once
	Errors    uint64 // ICMP messages about the peer's connections, sent on to it
	Fragments uint64 // later fragments of TCP, which cannot be told apart and stayed here
}
