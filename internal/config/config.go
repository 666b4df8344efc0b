package config

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// Config is a checked configuration: every value is within its bounds, every
// name it mentions exists, and nothing is left to be parsed later. It is made
// by [Load], [Parse] or [FromFlags] and never half-filled.
type Config struct {
	// Path is the file it was read from; empty when it came from flags alone.
	Path string
	// Node is what concerns this machine only. Set by [Config.Apply].
	Node Node
	// Nodes holds the file's [node.NAME] tables, by name.
	Nodes map[string]Node

	Cluster   Cluster
	VIPs      []VIP      // in the order of the file; may be empty
	Frontends []Frontend // in the order of the file; may be empty
	Pools     []Pool     // sorted by name
	Tracks    []Track    // sorted by name
	Hooks     []Hook     // in the order of the file; may be empty
	Templates []Template // in the order of the file; may be empty
	AccessLog AccessLog
	Control   Control
	Proxy     Proxy
	Log       Log

	// Warnings are worth an operator's look, and forbid nothing: a certificate that has
	// expired. In the order of the file.
	Warnings Errors

	settings []setting // every key with its effective value, in the order of the file's schema
}

// Node is what differs between the balancers of one cluster.
type Node struct {
	Name      string     // host name unless overridden; at most 63 letters, digits, dots and dashes
	Interface string     // of VIPs that name none; empty: found from the VIP's subnet
	Priority  uint8      // 1 to 254, default 100; higher is preferred
	Advertise netip.Addr // address told to the others; invalid: found out
}

// Cluster is how balancers and apps find and trust each other.
type Cluster struct {
	Join           []string       // seeds as host, host:port, address or address:port; own address is harmless
	Gossip         netip.AddrPort // gossip is bound here, UDP and TCP; an invalid Addr means all addresses
	GossipKeys     [][]byte       // 16, 24 or 32 bytes each; the first one encrypts, all decrypt; nil: unencrypted
	BalancerKeys   [][]byte       // the same for adverts, held by balancers only; nil: unauthenticated
	AdvertPort     uint16         // adverts (UDP) and keeper state (TCP); default 7947
	AdvertInterval time.Duration  // 5 ms to 10 s, default 20 ms
}

// VIP is one address that the active balancer of its group holds.
type VIP struct {
	Address   netip.Addr // unicast, never 4-in-6, without zone
	Interface string     // empty: the node's, or found from the subnet; the same for all VIPs of a group
	Group     string     // VIPs of one group move together; default "default"
	Preempt   bool       // the same for all VIPs of a group

	// Hook is the program, an absolute path, and its arguments, that has the address
	// routed to a node in place of ARP and NDP; nil: none. HookTimeout bounds a claim or a
	// release by it, repeated attempts included. The same for all VIPs of a group.
	Hook        []string
	HookTimeout time.Duration
}

// Frontend accepts clients on one address and port and sends their requests
// to one pool.
type Frontend struct {
	Name           string         // default: the listen address as it stands in the file
	Listen         netip.AddrPort // an invalid Addr means all addresses of both families; 0.0.0.0 and :: all of their own only
	Pool           string         // names a member of Config.Pools; empty: all is redirected, or what meets no rule is refused
	HeaderTimeout  time.Duration  // from the first byte of a request, or from accept, to the end of its head
	IdleTimeout    time.Duration  // a connection kept open waits so long for its next request
	ClientTimeout  time.Duration  // each wait for a client to send more of a body, or to take more of an answer
	HalfClose      time.Duration  // a client that closed its sending side waits so long for its answer to begin
	TunnelTimeout  time.Duration  // an upgraded connection on which nothing moves is closed after it
	MaxHeaderBytes int            // request line and header fields together; more is answered 431
	MaxBodyBytes   int64          // a request's body; more is answered 413; 0: no bound
	MinRate        int            // bytes per second that a client brings of a body, or takes of an answer; 0: none is asked for
	Forwarded      string         // what backends are told of a client: "x-forwarded", "forwarded", "both" or "none"
	Trusted        []netip.Prefix // networks of proxies whose word on their clients goes on; nil: nobody's
	Via            string         // our pseudonym in Via; empty: none

	Mode            string         // "http", or "tcp": bytes are passed on as they are
	SNIPools        [][2]string    // server name and pool, of connections of mode tcp that begin with a TLS greeting
	AcceptProxy     []netip.Prefix // networks of proxies whose connections begin with a PROXY header; nil: nobody's do
	TLS             *FrontendTLS   // nil: clients speak plain text
	HTTP2           HTTP2
	RedirectHTTPS   int          // port of the frontend that speaks TLS, to which all requests are redirected; 0: they are served
	ResponseHeaders [][2]string  // name and value of those that every answer is given
	Rules           []route.Rule // in the order of the file; nil: all goes to Pool
	MaxConn         int          // open connections; what is more waits; 0: no bound but the proxy's
	Sources         Sources      // what each source may do
	AccessLog       bool         // its requests are written into the access log, if there is one
	ErrorPages      []ErrorPage  // in the order of the file
}

// Pool is a named set of backends with a policy and a check.
type Pool struct {
	Name           string
	Policy         string // "roundrobin", "leastconn", "random" or "hash"
	Hash           Hash   // what the policy "hash" goes by
	Check          Check
	Backends       []Backend   // static ones; those announced by gossip stand beside them
	BackupTags     [][2]string // key and value of each tag whose bearers are backups; nil: no agent's app is
	RetryBudget    RetryBudget
	Outlier        Outlier
	Sticky         *Sticky        // nil: clients come back to no backend in particular
	SlowStart      time.Duration  // how long the weight of a backend that came up grows; 0: not at all
	MaxConn        int            // requests that a backend may have under way; 0: no bound
	Queue          int            // requests that may wait while all backends have so many
	QueueTimeout   time.Duration  // how long one waits
	PanicThreshold int            // percent of backends below which all are given requests; 0: never
	ConnectTimeout time.Duration  // for a connection to a backend
	ServerTimeout  time.Duration  // a backend that sends nothing while its answer is awaited
	IdleTimeout    time.Duration  // an unused connection to a backend is kept so long
	MaxIdle        int            // how many of them, for each event loop and backend
	Retries        int            // on other backends, of what was provably not received
	Allow          []netip.Prefix // networks in which agents may announce backends; nil: all
	AllowTags      [][2]string    // key and value of each tag that an agent must bear; nil: none
	Protocol       string         // that backends speak: "http1", or "h2", which gRPC needs
	SendProxy      int            // version of the PROXY header that begins each connection to a backend; 0: none does
	TLS            *PoolTLS       // nil: backends speak plain text
	SpeakFor       []netip.Prefix // networks in which an agent may announce a backend at an address not its own; nil: none

	MinBackends int           // how many should be up; 0: nobody asks
	MinAfter    time.Duration // how long there must be fewer before that is an event
}

// Hook is a program that events start.
type Hook struct {
	Name        string            // unique; default: the program's last name
	Events      []string          // of HookEvents; at least one
	Command     []string          // the program, an absolute path, and its arguments
	Format      string            // "json" or "serf"
	SerfTags    map[string]string // of this balancer in Serf's form; nil: none
	User        string            // that it runs as; DefaultUser need not exist
	Timeout     time.Duration     // it is killed then
	Concurrency int               // programs of this hook that may run at one time
	Queue       int               // events that may wait
	ActiveOnly  bool              // only on the active balancer
}

// DefaultUser runs hooks and templates that name nobody else.
const DefaultUser = "tandem-hook"

// HookEvents are the events that a hook may ask for, and SerfEvents those of them that
// Serf's form knows.
var (
	SerfEvents = []string{"member-join", "member-leave", "member-failed", "member-update", "user"}
	HookEvents = append(slices.Clone(SerfEvents),
		"backend-up", "backend-down", "pool-below-minimum", "pool-minimum-met",
		"active", "backup", "draining", "fault", "conflict")
)

// Template is a file that is written anew whenever the live members, pools and backends
// make another text of it.
type Template struct {
	Source     string        // Go's text/template; an absolute path
	Sum        string        // of what it says, by which another is known; empty: it cannot be read here
	Target     string        // unique; an absolute path
	Check      []string      // a program that must accept the new file, FileWord being its name, before it takes the old one's place; nil: none
	Reload     []string      // a program to run afterwards; nil: none
	User       string        // that reads, writes and runs all this; DefaultUser need not exist
	Timeout    time.Duration // of each program
	Quiescence time.Duration // how long nothing must have changed
	Keep       int           // earlier versions beside the target
}

// FileWord stands for the new file's name in Template.Check.
const FileWord = "{file}"

// Check is the active check of a pool's backends, or of an agent's app.
type Check struct {
	check.Question
	TLS      *PoolTLS // what the check speaks; nil: what the pool does
	Plain    bool     // it speaks no TLS, whatever the pool does
	Interval time.Duration
	Jitter   int // percent of Interval by which each pause is longer or shorter, at random
	Timeout  time.Duration
	Rise     int // successes in a row that bring a down backend up
	Fall     int // failures in a row that take an up backend down
}

// Track is a program that looks at something that this node needs in order to serve well.
type Track struct {
	Name     string
	Command  []string // an absolute path, and arguments
	Interval time.Duration
	Timeout  time.Duration // it is killed then, and has failed
	Rise     int           // successes in a row that make a failing one well
	Fall     int           // failures in a row that make a well one fail
	Weight   int           // what the node's fitness, 255 at best, is short of while it fails
}

// AccessLog is where and how a line is written for each request.
type AccessLog struct {
	File   string // an absolute path, or "stdout"; empty: nowhere
	Format string // "json" or "haproxy"
	Sample int    // one of so many requests that went well is written
}

// ErrorPage is the body of Tandem's own answers with a status.
type ErrorPage struct {
	Status int
	File   string // that it was read from
	Type   string // Content-Type, by the ending of File
	Body   []byte
}

// Control is the control process: the operator's side.
type Control struct {
	Socket   string // unix socket of the admin API; an absolute path
	StateDir string // where a balancer remembers members, gossip keys and timeline; an absolute path; empty: $STATE_DIRECTORY, or nowhere

	Status      netip.AddrPort // the status page and metrics; an invalid Addr means all addresses; zero: off
	StatusAllow []netip.Prefix // who may see them, by address; never empty
	StatusHosts []string       // names by which they may be asked for, beside addresses, localhost and the node's name
	AdminTokens [][]byte       // who sends one of them may give orders from the page; none: it is read-only
}

// Proxy is the proxy process.
type Proxy struct {
	Loops      int           // event loops; 0: one per CPU
	MaxConn    int           // connections of each event loop; further ones wait to be accepted
	OrphanTime time.Duration // how long it serves without a keeper before it drains
	Timeout    time.Duration // a loop without progress for so long counts as hung
	DrainTime  time.Duration // the deadline of a drain: connections left after it are cut
}

// Log is what the three processes write to standard error.
type Log struct {
	Level slog.Level // debug, info, warn or error
}
