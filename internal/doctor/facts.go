package doctor

import (
	"net/netip"
	"time"
)

// Facts are what is known of a machine, its network, and a balancer that may run on it. What
// could not be found out is left at its zero value, and is named in Unknown.
type Facts struct {
	Wanted     Wanted
	Running    *Running // nil: no balancer answers here
	Caps       uint64   // effective capabilities of whoever looks, as a mask
	Interfaces []Interface
	ARP        map[netip.Addr][]string // MACs that answered for each VIP
	VRRP       []VRRP                  // adverts of others that were heard
	Listeners  []Listener              // that hold a port that is wanted
	Peers      []PeerPort
	Paths      []PeerPath // to IPv4 peers
	OpenFiles  uint64     // limit of open files, of the proxy or of whoever looks
	CPUs       float64    // of the cgroup's quota; 0: none
	Throttled  uint64     // periods in which the quota was used up
	Synced     *bool      // the kernel's clock is synchronised; nil: unknown
	Kernel     [2]int     // major and minor
	NFTables   bool       // the kernel speaks nftables
	Managers   []string
	Unknown    []string // what could not be looked at, and why
}

// Wanted is what the configuration asks of the machine.
type Wanted struct {
	VIPs       []netip.Addr
	Interface  string           // named in the configuration; empty: found
	Peers      []netip.Addr     // seeds that are addresses, without this node's own
	GossipPort uint16           // TCP and UDP
	AdvertPort uint16           // TCP and UDP
	StatusPort uint16           // TCP; 0: none
	Frontends  []netip.AddrPort // an invalid address means all
	Hook       bool             // a program moves the VIPs
}

// Interface is one network interface of the machine.
type Interface struct {
	Name     string
	MAC      string
	Up       bool
	Carrier  bool
	MTU      int
	Addrs    []netip.Prefix
	RPFilter int // the stricter of all's and its own
	ProxyARP bool
	Default  bool // the default route leaves here
}

// VRRP is one other router's adverts.
type VRRP struct {
	Interface string       `json:"interface"`
	From      netip.Addr   `json:"from"`
	Version   int          `json:"version"`
	VRID      int          `json:"vrid"`
	Priority  int          `json:"priority"`
	Addrs     []netip.Addr `json:"addrs"`
}

// Listener holds a port on this machine.
type Listener struct {
	Network string // tcp or udp
	Addr    netip.AddrPort
	Process string // its name and number; empty: not known
}

// How an attempt to connect to a port of a peer ended.
const (
	PortOpen    = "open"
	PortRefused = "refused" // the host is there, and nobody listens
	PortSilent  = "silent"  // no answer: a firewall, or no such host
)

// PeerPort is how a peer's port was found.
type PeerPort struct {
	Peer   netip.Addr
	Port   uint16
	State  string
	Offset *time.Duration // of its clock, to a second, where its status page told it
}

// PeerPath is what gets through to a peer, and back.
type PeerPath struct {
	Peer netip.Addr
	Want int    // bytes of the largest packet that this host sends there
	MTU  int    // bytes of the largest that came back in one piece; 0: not known, pings are not answered
	UDP  string // how the advert port was found: PortRefused where nobody listens; PortSilent says little
}

// Running is what a balancer that runs here says of itself.
type Running struct {
	Node          string
	Groups        []Group
	Balancers     []string          // other balancers that gossip finds alive
	Gone          []string          // and those that it has lost
	Refused       map[string]uint64 // adverts, by reason
	Authenticated bool
	Encrypted     bool
	OtherConfigs  []string // balancers with another configuration
	KeysDiffer    []string // members that hold other gossip keys than this one
	PID           int      // of the keeper
	ProxyPID      int
}

// Group is one VIP group as the running balancer sees it.
type Group struct {
	Name      string
	State     string
	Reason    string
	Active    string
	Answers   string // "keeper" or "lease-only" or "hook"
	Note      string // why not the keeper
	Heard     []string
	DeafTo    []string          // balancers that say that they do not hear this one
	SelfTests map[string]string // by peer: why the VIPs cannot move there without loss; "" if they can
	Lossy     string
}
