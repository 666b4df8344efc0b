package ipc

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// Kind numbers the messages on the wire.
type Kind uint16

// Between processes that are always the same binary: these may change from version to
// version.
const (
	_ Kind = iota // zero is no message
	kindControlStart
	kindProxyStart
	kindKeeperState
	kindCluster
	kindRelayQuery
	kindRelayAnswer
	kindReplaceProxy
	kindHandOver
	kindMaintain
	kindOutcome
	kindTransition
	kindServed
	kindReload
	kindPrepare
	kindPrepared
	kindWarm
	kindCommit
	kindCommitted
	kindAbort
	kindReloaded
	kindRunnerStart
	kindRunHook
	kindHookEnded
	kindRender
	kindRendered
)

// A new keeper may find a proxy of an earlier version alive (E11), and both must
// understand each other: these keep their numbers for good, and their fields are only
// ever added to.
const (
	kindStop Kind = 100 + iota
	kindReady
	kindLink
	kindPools
	kindProxyState
	kindServe
	kindDrain
	kindResume
	kindRetire
	kindClients
	kindOrphan
	kindRecheck
	kindAccessLog
	kindAwaitFirst
	kindFirstServed
)

// Message is one of the types of this file, of life.go and of reload.go.
type Message interface{ kind() Kind }

func newMessage(k Kind) Message {
	switch k {
	case kindControlStart:
		return new(ControlStart)
	case kindProxyStart:
		return new(ProxyStart)
	case kindLink:
		return new(Link)
	case kindStop:
		return new(Stop)
	case kindReady:
		return new(Ready)
	case kindKeeperState:
		return new(KeeperState)
	case kindCluster:
		return new(Cluster)
	case kindPools:
		return new(Pools)
	case kindProxyState:
		return new(ProxyState)
	case kindRelayQuery:
		return new(RelayQuery)
	case kindRelayAnswer:
		return new(RelayAnswer)
	case kindReplaceProxy:
		return new(ReplaceProxy)
	case kindHandOver:
		return new(HandOver)
	case kindMaintain:
		return new(Maintain)
	case kindOutcome:
		return new(Outcome)
	case kindTransition:
		return new(Transition)
	case kindServed:
		return new(Served)
	}
	if m := newRunnerMessage(k); m != nil {
		return m
	}
	return newLifeMessage(k)
}

// ControlStart is the keeper's first message to the control process. With it comes the
// listening admin socket, and then, if this node keeps a state, the file that remembers the
// members, the one that keeps the gossip keys as they were rotated, and the two of the timeline; and then, with
// StatusPage, the socket of the status page.
type ControlStart struct {
	Node       string       `json:"node"`
	Version    string       `json:"version"`
	GossipAddr netip.Addr   `json:"gossip_addr,omitzero"` // zero: all addresses
	GossipPort uint16       `json:"gossip_port"`
	Advertise  netip.Addr   `json:"advertise,omitzero"` // zero: found
	Near       []netip.Addr `json:"near,omitempty"`     // the VIPs: on whose networks others are, if that is to be found
	AdvertPort uint16       `json:"advert_port"`
	Join       []string     `json:"join,omitempty"`
	GossipKeys [][]byte     `json:"gossip_keys,omitempty"` // first encrypts, all decrypt
	ProofKey   []byte       `json:"proof_key,omitempty"`   // with which this balancer proves itself to agents and balancers, Ed25519
	ProvenBy   [][]byte     `json:"proven_by,omitempty"`   // the public keys by which it knows the other balancers
	Pools      []StaticPool `json:"pools"`
	LogLevel   int          `json:"log_level"`             // of log/slog
	ConfigHash string       `json:"config_hash,omitempty"` // the same on nodes with the same file
	Routes     []Routes     `json:"routes,omitempty"`      // of the frontends that speak HTTP
	Programs   uint64       `json:"programs"`              // number of what follows, by which runners know it
	Hooks      []Hook       `json:"hooks,omitempty"`
	Templates  []Template   `json:"templates,omitempty"`

	StatusPage  bool           `json:"status_page"` // the last descriptor is its listening socket
	StatusAllow []netip.Prefix `json:"status_allow,omitempty"`
	StatusHosts []string       `json:"status_hosts,omitempty"`
	AdminTokens [][]byte       `json:"admin_tokens,omitempty"` // SHA-256 of each
}

// StaticPool is what the configuration says of a pool's membership.
type StaticPool struct {
	Name     string          `json:"name"`
	Backends []StaticBackend `json:"backends,omitempty"`
	Allow    []netip.Prefix  `json:"allow,omitempty"` // networks that may register; none: any

	AllowTags  [][2]string    `json:"allow_tags,omitempty"`  // key and value; an agent must bear all
	BackupTags [][2]string    `json:"backup_tags,omitempty"` // an agent that bears all brings backups; none: no agent does
	SpeakFor   []netip.Prefix `json:"speak_for,omitempty"`   // where an agent may announce an address that is not its own

	MinBackends int           `json:"min_backends,omitempty"` // that should be up; 0: nobody asks
	MinAfter    time.Duration `json:"min_after,omitempty"`    // how long there must be fewer
}

// ProxyStart is the keeper's first message to the proxy process: it knows its pools now and
// checks their backends, but reads no listening socket before [Serve]. With it come the
// descriptors: one memfd for the progress counters (a 64-bit word a loop), then each
// frontend's listening sockets, Loops of them, in the order of Frontends.
type ProxyStart struct {
	Loops      int           `json:"loops"`
	MaxConn    int           `json:"maxconn"`     // of each loop
	OrphanTime time.Duration `json:"orphan_time"` // how long to serve on without a keeper
	Frontends  []Frontend    `json:"frontends"`
	Pools      []PoolPolicy  `json:"pools"`
	LogLevel   int           `json:"log_level"`
	LogFile    string        `json:"log_file,omitempty"` // of the access log, which comes with [AccessLog]; empty: none
}

// PoolPolicy is how a pool behaves; who is in it comes from control, in [Pools].
type PoolPolicy struct {
	Name           string        `json:"name"`
	Policy         string        `json:"policy"`
	Hash           Hash          `json:"hash,omitzero"`
	RetryBudget    *RetryBudget  `json:"retry_budget,omitempty"` // nil: none
	Outlier        Outlier       `json:"outlier,omitzero"`
	Sticky         *Sticky       `json:"sticky,omitempty"` // nil: none
	SlowStart      time.Duration `json:"slowstart,omitempty"`
	MaxConn        int           `json:"maxconn,omitempty"` // of each backend; 0: no bound
	Queue          int           `json:"queue"`
	QueueTimeout   time.Duration `json:"queue_timeout,omitempty"`
	PanicThreshold int           `json:"panic_threshold,omitempty"` // percent; 0: never
	Check          Check         `json:"check"`
	ConnectTimeout time.Duration `json:"connect_timeout"`
	ServerTimeout  time.Duration `json:"server_timeout"`
	IdleTimeout    time.Duration `json:"idle_timeout"` // of unused connections
	MaxIdle        int           `json:"max_idle"`     // of them, for each loop and backend
	Retries        int           `json:"retries"`

	SendProxy int      `json:"send_proxy,omitempty"` // version of the PROXY header; 0: none
	Protocol  string   `json:"protocol,omitempty"`   // http1 or h2
	TLS       *PoolTLS `json:"tls,omitempty"`        // nil: plain
}

// Check is how a backend's health is asked for.
type Check struct {
	check.Question
	TLS      *PoolTLS      `json:"tls,omitempty"` // nil: as the pool
	Plain    bool          `json:"plain,omitempty"`
	Interval time.Duration `json:"interval"`
	Jitter   int           `json:"jitter,omitempty"` // percent of Interval
	Timeout  time.Duration `json:"timeout"`
	Rise     int           `json:"rise"`
	Fall     int           `json:"fall"`
}

// Link brings one descriptor: an end of a fresh pair between control and a proxy, or a
// runner. The keeper sends one to each whenever either of them was started.
type Link struct {
	Runner string `json:"runner,omitempty"` // to control: the user whose runner it is; empty: a proxy
}

// Stop asks the process to end in good order: control leaves the cluster, the proxy lets
// requests in flight end. The keeper waits for the end of the socket, within its bound.
type Stop struct {
	Grace time.Duration `json:"grace"`
}

// Ready says that a child does its work: the proxy reads all its listening sockets,
// control has joined or is trying.
type Ready struct{}

// KeeperState is what the keeper knows, for status and the page. It is sent on every
// change and once a second.
type KeeperState struct {
	Node      string        `json:"node"`
	Since     time.Time     `json:"since"`
	Secured   bool          `json:"secured"` // adverts are authenticated
	Groups    []GroupState  `json:"groups"`
	Processes []Process     `json:"processes"`
	Adverts   AdvertCounts  `json:"adverts"`
	Interval  time.Duration `json:"advert_interval"`
	Sessions  int           `json:"sessions"`       // agreed with other keepers, under which adverts are believed
	Channels  int           `json:"channels"`       // state channels that stand
	Maint     time.Time     `json:"maint,omitzero"` // since when this node is in maintenance
	Tracks    []Track       `json:"tracks,omitempty"`
}

// Track is what a program of the operator's says of this node. While it is down, Weight is
// missing from the fitness of every group.
type Track struct {
	Name   string    `json:"name"`
	State  string    `json:"state"` // up, down; unknown before its first run
	Since  time.Time `json:"since,omitzero"`
	Weight int       `json:"weight"`
	Reason string    `json:"reason,omitempty"` // why down
}

// GroupState is one VIP group as this node sees it.
type GroupState struct {
	Name       string       `json:"name"`
	VIPs       []netip.Addr `json:"vips"`
	Interface  string       `json:"interface"`
	State      string       `json:"state"`
	Since      time.Time    `json:"since"`
	Reason     string       `json:"reason"`
	Active     string       `json:"active,omitempty"` // node believed active, empty when unknown
	Epoch      uint64       `json:"epoch"`
	Priority   uint8        `json:"priority"`
	Fitness    uint8        `json:"fitness"`
	Holding    []netip.Addr `json:"holding,omitempty"`    // VIPs on the interface, read back from the kernel
	LeaseUntil time.Time    `json:"lease_until,omitzero"` // when the kernel drops them unless renewed
	Answers    Answers      `json:"answers"`
	Fenced     bool         `json:"fenced"`                  // a pause is being verified, or this node is isolated
	Degraded   string       `json:"path_degraded,omitempty"` // by which path the active answers though its adverts do not come
	Tickle     Tickle       `json:"tickle"`
	SelfTests  []SelfTest   `json:"self_tests,omitempty"` // by peer; none for one that was not tried yet
	Lossy      string       `json:"lossy,omitempty"`      // why a handover would break connections
	Left       int64        `json:"left,omitempty"`       // draining: connections of the proxies
	Peers      []Peer       `json:"peers"`

	// Transitions counts since the keeper started: by the state that was entered, and then by reason, a stable word.
	Transitions map[string]map[string]uint64 `json:"transitions,omitempty"`
}

// Tickle counts what a node tells its peers of its clients, and knows of theirs: after a
// crash of the active, whoever takes over makes its clients reconnect at once.
type Tickle struct {
	Told    int    `json:"told"`     // connections of this node that the peers were told of
	LeftOut int    `json:"left_out"` // and those that found no room
	Lost    uint64 `json:"lost"`     // messages that a slow state channel lost; everything is said again
	Known   int    `json:"known"`    // connections of the peers
	Dropped uint64 `json:"dropped"`  // and those that found no room
	Sent    uint64 `json:"sent"`     // clients of lost nodes that were told to look
	Unsent  uint64 `json:"unsent"`   // and those that could not be
}

// SelfTest says whether the VIPs can move to a peer without a loss, as was last tried: what
// the peer sends on must arrive here.
type SelfTest struct {
	Peer     string    `json:"peer"`
	Lossless bool      `json:"lossless"`
	Why      string    `json:"why,omitempty"` // why not
	At       time.Time `json:"at"`
}

// Answers says who answers ARP and NDP for a group's VIPs: "keeper" where the kernel is
// mute, "lease-only" where it cannot be, "hook" where a program moves the VIPs, "none" for a
// family without a VIP.
type Answers struct {
	IPv4    string `json:"ipv4"`
	IPv6    string `json:"ipv6"`
	Note    string `json:"note,omitempty"` // why not the keeper
	Given   uint64 `json:"given"`
	Refused uint64 `json:"refused"` // by the gate: late, or this node was not sure of itself
}

// Peer is another balancer as heard by its adverts.
type Peer struct {
	Node     string        `json:"node"`
	Addr     netip.Addr    `json:"addr"`
	State    string        `json:"state"`
	Priority uint8         `json:"priority"`
	Epoch    uint64        `json:"epoch"`
	Fitness  uint8         `json:"fitness"`
	HeardAgo time.Duration `json:"heard_ago"`
}

// AdvertCounts counts datagrams since the keeper's start.
type AdvertCounts struct {
	Sent    uint64            `json:"sent"`
	Heard   uint64            `json:"heard"`
	Refused map[string]uint64 `json:"refused,omitempty"` // by reason
	// WorstLate is the sender's greatest lateness beyond its interval in the last 5 to 10 s.
	WorstLate time.Duration `json:"worst_late"`
}

// Process is one of the three, with what the kernel says about its rights.
type Process struct {
	Name      string        `json:"name"` // keeper, control or proxy
	PID       int           `json:"pid"`
	Since     time.Time     `json:"since"`
	Restarts  int           `json:"restarts"`
	Ready     bool          `json:"ready"`
	UID       int           `json:"uid"`
	OwnUser   bool          `json:"own_user"` // runs under a uid that no other of the three has
	UserNote  string        `json:"user_note,omitempty"`
	CapEff    string        `json:"cap_eff"` // as in /proc/PID/status, hexadecimal
	CapBnd    string        `json:"cap_bnd"`
	NoNewPriv bool          `json:"no_new_privs"`
	RSSBytes  int64         `json:"rss_bytes"`
	CPU       time.Duration `json:"cpu"` // used so far
	// Doing is a proxy's part: serving, warming up, or draining for its successor.
	Doing   string `json:"doing,omitempty"`
	Clients int64  `json:"clients,omitempty"` // connections of a proxy
}

// Cluster is what gossip tells the keeper: where the other balancers' adverts go, and
// whether each seed has been tried once (the election's cold start waits for it).
type Cluster struct {
	SeedsTried bool       `json:"seeds_tried"`
	Balancers  []Balancer `json:"balancers"`
}

// Balancer is another balancer that gossip knows.
type Balancer struct {
	Node string         `json:"node"`
	Addr netip.AddrPort `json:"addr"` // of its adverts
}

// Pools is every pool's whole list, gossiped and static backends together.
type Pools struct {
	Pools []PoolBackends `json:"pools"`
	// Reload is the ID of the reload under way, in whose new pools and backends these are
	// the ones to be checked; 0: none.
	Reload uint64 `json:"reload,omitempty"`
}

// PoolBackends is the whole list of one pool.
type PoolBackends struct {
	Name     string    `json:"name"`
	Backends []Backend `json:"backends"`
}

// Backend is one running app.
type Backend struct {
	ID      string         `json:"id"`
	Addr    netip.AddrPort `json:"addr"`
	Weight  int            `json:"weight"`
	Drain   bool           `json:"drain,omitempty"`
	MaxConn int            `json:"maxconn,omitempty"` // in place of the pool's; 0: that holds
	Backup  bool           `json:"backup,omitempty"`  // given requests only while no other is up
}

// Recheck tells the proxy that this node was cut off and is no longer: what it found out about backends meanwhile says
// nothing of them, and they are to be checked at once.
type Recheck struct{}

// RelayQuery asks control to have members of the cluster carry Datagram to another balancer's advert address, when the
// keeper's own path there is broken. What is lost is not repeated, and not reported.
type RelayQuery struct {
	To       netip.AddrPort `json:"to"`
	Datagram []byte         `json:"datagram"` // 1 to 1200 bytes
}

// RelayAnswer brings the keeper one datagram that came back on a RelayQuery. Members may forge it; the keeper believes
// what the balancer key proves.
type RelayAnswer struct {
	From     string         `json:"from"` // the member that carried it
	To       netip.AddrPort `json:"to"`   // of the RelayQuery
	Datagram []byte         `json:"datagram"`
}

func (*ControlStart) kind() Kind { return kindControlStart }
func (*ProxyStart) kind() Kind   { return kindProxyStart }
func (*Link) kind() Kind         { return kindLink }
func (*Stop) kind() Kind         { return kindStop }
func (*Ready) kind() Kind        { return kindReady }
func (*KeeperState) kind() Kind  { return kindKeeperState }
func (*Cluster) kind() Kind      { return kindCluster }
func (*Pools) kind() Kind        { return kindPools }
func (*RelayQuery) kind() Kind   { return kindRelayQuery }
func (*RelayAnswer) kind() Kind  { return kindRelayAnswer }
func (*Recheck) kind() Kind      { return kindRecheck }
