package api

import (
	"net/netip"
	"time"
)

// DefaultSocket is where a balancer serves the API unless told otherwise.
const DefaultSocket = "/run/tandem/control.sock"

// Status is all that one balancer knows. Parts that have not been reported yet are empty.
type Status struct {
	Node           string        `json:"node"`
	Version        string        `json:"version"`
	At             time.Time     `json:"at"`
	KeeperAge      time.Duration `json:"keeper_age"` // age of what the keeper reported: its heartbeat is 1 s
	ProxyAge       time.Duration `json:"proxy_age"`
	Since          time.Time     `json:"since"`
	Authenticated  bool          `json:"authenticated"` // adverts carry the balancer key
	Encrypted      bool          `json:"encrypted"`     // gossip carries the gossip key
	AdvertInterval time.Duration `json:"advert_interval"`
	Config         Config        `json:"config"`
	Adverts        Adverts       `json:"adverts"`
	Sessions       int           `json:"sessions"`       // agreed with other keepers, under which adverts are believed
	Channels       int           `json:"channels"`       // state channels to other keepers that stand
	Maint          time.Time     `json:"maint,omitzero"` // since when this node is in maintenance; absent: it is not
	Groups         []Group       `json:"groups"`
	Tracks         []Track       `json:"tracks,omitempty"`
	Processes      []Process     `json:"processes"`
	Frontends      []Frontend    `json:"frontends"`
	Pools          []Pool        `json:"pools"`
	Members        []Member      `json:"members"`
	Outside        []Outside     `json:"outside,omitempty"` // apps that are in no pool; the first 64
	Hooks          []Hook        `json:"hooks,omitempty"`
	Templates      []Template    `json:"templates,omitempty"`
	Gossip         Gossip        `json:"gossip"`
	Timeline       TimelineFile  `json:"timeline"`
	AccessLog      AccessLog     `json:"access_log"`

	LatencyBounds []time.Duration `json:"-"` // of every Histogram
}

// Gossip counts what the cluster's messages came to since the control process started.
type Gossip struct {
	Ignored map[string]uint64 `json:"ignored"` // messages, by reason: a stable word
	Relayed uint64            `json:"relayed"` // answers carried back to balancers whose own path was broken
}

// AccessLog counts lines since the proxy started.
type AccessLog struct {
	Lines uint64 `json:"lines"` // written
	Lost  uint64 `json:"lost"`  // that found no room, or could not be written
}

// TimelineFile is the state of the timeline itself.
type TimelineFile struct {
	Entries uint64 `json:"entries"` // so far, those of earlier processes included
	Damaged int    `json:"damaged"` // lines that could not be read at start
	Lost    uint64 `json:"lost"`    // entries that were not written, since the control process started
}

// Config says which configuration is in effect.
type Config struct {
	Hash string `json:"hash"` // 16 hexadecimal digits, the same on balancers whose files say the same
	// Others are the balancers with another one, by name; what they say of it may be a gossip
	// interval old.
	Others []string `json:"others,omitempty"`
	// Since is when it was loaded: by a reload, or at the start of the control process, which
	// also counts the reloads.
	Since   time.Time `json:"since"`
	Loaded  uint64    `json:"loaded"`
	Refused uint64    `json:"refused"`
}

// Group is one VIP group: addresses that one balancer holds together.
type Group struct {
	Name       string       `json:"name"`
	VIPs       []netip.Addr `json:"vips"`
	Interface  string       `json:"interface"`
	State      string       `json:"state"` // init, backup, active, draining or fault
	Since      time.Time    `json:"since"`
	Reason     string       `json:"reason"`        // why this node is in that state
	Why        string       `json:"why,omitempty"` // the same as a sentence, as the timeline has it
	Active     string       `json:"active,omitempty"`
	Epoch      uint64       `json:"epoch"` // counts claims of the group
	Priority   uint8        `json:"priority"`
	Fitness    uint8        `json:"fitness"`
	Holding    []netip.Addr `json:"holding,omitempty"`
	LeaseUntil time.Time    `json:"lease_until,omitzero"`
	Answers    Answers      `json:"answers"`
	Fenced     bool         `json:"fenced"`                  // says nothing about the VIPs for the moment: it was paused, or is isolated
	Degraded   string       `json:"path_degraded,omitempty"` // by which path the active answers though its adverts do not come
	Tickle     Tickle       `json:"tickle"`
	SelfTests  []SelfTest   `json:"self_tests,omitempty"` // by peer; none for one that was not tried yet
	Lossy      string       `json:"lossy,omitempty"`      // why a handover would break connections
	Left       int64        `json:"left,omitempty"`       // draining: connections that have not ended yet
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

// Track is what a program of the operator's says of this node. While it is down, Weight is
// missing from the fitness of every group.
type Track struct {
	Name   string    `json:"name"`
	State  string    `json:"state"` // up, down; unknown before its first run
	Since  time.Time `json:"since,omitzero"`
	Weight int       `json:"weight"`
	Reason string    `json:"reason,omitempty"` // why down
}

// Answers says who answers ARP and NDP for a group's VIPs: "keeper" where the kernel is
// mute, so that a dead or frozen keeper stops owning them at once; "lease-only" where the
// kernel answers until the lease ends; "hook" where nobody does, since a program has the VIPs
// routed here; "none" for a family without a VIP.
type Answers struct {
	IPv4    string `json:"ipv4"`
	IPv6    string `json:"ipv6"`
	Note    string `json:"note,omitempty"` // why not the keeper
	Given   uint64 `json:"given"`
	Refused uint64 `json:"refused"` // late, or this node was not sure of itself
}

// Peer is another balancer, as its adverts say.
type Peer struct {
	Node     string        `json:"node"`
	Addr     netip.Addr    `json:"addr"`
	State    string        `json:"state"`
	Priority uint8         `json:"priority"`
	Epoch    uint64        `json:"epoch"`
	Fitness  uint8         `json:"fitness"`
	HeardAgo time.Duration `json:"heard_ago"`
}

// Adverts counts the election's datagrams since the keeper started.
type Adverts struct {
	Sent      uint64            `json:"sent"`
	Heard     uint64            `json:"heard"`
	Refused   map[string]uint64 `json:"refused,omitempty"` // by reason
	WorstLate time.Duration     `json:"worst_late"`        // of late (5 to 10 s), beyond the interval
}

// Process is one of keeper, control and proxy, with the rights that the kernel says it has.
type Process struct {
	Name      string        `json:"name"`
	PID       int           `json:"pid"`
	Since     time.Time     `json:"since"`
	Restarts  int           `json:"restarts"`
	Ready     bool          `json:"ready"`
	UID       int           `json:"uid"`
	OwnUser   bool          `json:"own_user"`
	UserNote  string        `json:"user_note,omitempty"` // why not, when OwnUser is false
	CapEff    string        `json:"cap_eff"`
	CapBnd    string        `json:"cap_bnd"`
	NoNewPriv bool          `json:"no_new_privs"`
	RSSBytes  int64         `json:"rss_bytes"`
	CPU       time.Duration `json:"cpu"`               // used so far
	Doing     string        `json:"doing,omitempty"`   // of a proxy: serving, warming up, or draining
	Clients   int64         `json:"clients,omitempty"` // connections of a proxy
}

// Frontend counts since the proxy started.
type Frontend struct {
	Name        string            `json:"name"`
	Connections uint64            `json:"connections"`
	Current     int64             `json:"current"`
	Requests    uint64            `json:"requests"`
	Status      map[string]uint64 `json:"status"`
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`

	Tunnels int64             `json:"tunnels"`         // of Current: upgraded to another protocol
	Retries uint64            `json:"retries"`         // requests sent again to another backend
	Errors  map[string]uint64 `json:"errors"`          // by reason, a stable word
	TLS     *TLS              `json:"tls,omitempty"`   // handshakes; nil: none yet
	HTTP2   *HTTP2            `json:"http2,omitempty"` // nil: no client has spoken it yet
	Latency Histogram         `json:"-"`
	Live    *Live             `json:"live,omitempty"`
	Rules   []Rule            `json:"rules,omitempty"` // in their order
}

// Refusals are the reasons in a frontend's Errors that are limits of its configuration, each called by
// its key there, but source_denied: allow or deny.
var Refusals = []string{"source_denied", "source_rate", "source_maxconn", "max_body_bytes"}

// Refused counts what a frontend's limits have refused: requests, and connections that were closed before any.
func Refused(errors map[string]uint64) (n uint64) {
	for _, reason := range Refusals {
		n += errors[reason]
	}
	return n
}

// Rule counts the requests that met one of a frontend's rules.
type Rule struct {
	Name     string `json:"name"`
	Requests uint64 `json:"requests"`
	Limited  uint64 `json:"limited,omitempty"` // of them, those that were more than its source_rate
}

// TLS counts the handshakes of a frontend with its clients.
type TLS struct {
	Handshakes uint64            `json:"handshakes"` // that succeeded
	Resumed    uint64            `json:"resumed"`    // of them, by a ticket
	Failed     map[string]uint64 `json:"failed"`     // by reason, a stable word
}

// Pool is a named set of backends.
type Pool struct {
	Name     string    `json:"name"`
	Policy   string    `json:"policy"`
	OnBackup bool      `json:"on_backup,omitempty"` // only backups are up, and given requests
	Panic    bool      `json:"panic,omitempty"`     // too few are up: all are given requests
	Backends []Backend `json:"backends"`

	// What follows counts backends that are gone, too.
	Requests         uint64            `json:"requests"`                    // given to the pool; each may need several attempts
	Status           map[string]uint64 `json:"status,omitempty"`            // of backends: 1xx … 5xx
	NoBackend        uint64            `json:"no_backend"`                  // requests for which no backend was up
	Retries          uint64            `json:"retries"`                     // attempts beyond the first
	Waiting          int64             `json:"waiting,omitempty"`           // requests that wait for room on a backend
	Queued           uint64            `json:"queued,omitempty"`            // those that had to
	Sticky           map[string]uint64 `json:"sticky,omitempty"`            // requests by their cookie: kept, lost or new
	RetriesRefused   uint64            `json:"retries_refused,omitempty"`   // since the retry budget was spent
	EjectionsRefused uint64            `json:"ejections_refused,omitempty"` // since too many were ejected already
	Queue            map[string]uint64 `json:"queue_refused,omitempty"`     // by reason: full or timeout
	Latency          Histogram         `json:"-"`
	Live             *Live             `json:"live,omitempty"`

	ByHand *ByHand `json:"by_hand,omitempty"` // nil: nothing was set by hand
}

// Backend is one running app. State is up, down, drain or maint.
type Backend struct {
	ID           string         `json:"id"`
	Addr         netip.AddrPort `json:"addr"`
	State        string         `json:"state"`
	Since        time.Time      `json:"since"`
	Reason       string         `json:"reason"`
	Why          string         `json:"why,omitempty"` // it gets no new requests, as a sentence; absent: it may get some
	Weight       int            `json:"weight"`
	Share        int            `json:"share,omitempty"`        // the weight that holds now, where it is less: it starts slowly
	MaxConn      int            `json:"maxconn,omitempty"`      // bound of Current; 0: none
	EjectedUntil time.Time      `json:"ejected_until,omitzero"` // as an outlier
	Ejections    uint64         `json:"ejections,omitempty"`    // so far
	Backup       bool           `json:"backup,omitempty"`       // given requests only while no other is up
	Current      int64          `json:"current"`                // requests under way
	Requests     uint64         `json:"requests"`
	Errors       uint64         `json:"errors"`

	Status    map[string]uint64 `json:"status,omitempty"`    // 1xx … 5xx
	ErrorsBy  map[string]uint64 `json:"errors_by,omitempty"` // Errors by reason: connect, died, response or timeout
	Conns     int64             `json:"conns"`               // connections to it, idle ones included
	Connects  uint64            `json:"connects"`            // made so far
	Reused    uint64            `json:"reused"`              // requests on a connection that was there
	BytesIn   uint64            `json:"bytes_in"`            // received from it
	BytesOut  uint64            `json:"bytes_out"`
	CheckedAt time.Time         `json:"checked_at,omitzero"` // when the last check ended
	CheckTook time.Duration     `json:"check_took,omitempty"`
	Checks    uint64            `json:"checks,omitempty"`     // made so far
	BadChecks uint64            `json:"bad_checks,omitempty"` // of them
	LastError string            `json:"last_error,omitempty"` // of a request; another backend may have answered it
	LastAt    time.Time         `json:"last_error_at,omitzero"`
	Latency   Histogram         `json:"-"`
	Live      *Live             `json:"live,omitempty"`

	ByHand *ByHand `json:"by_hand,omitempty"` // what operators have set; nil: nothing
}

// Member is one process in the gossip cluster: a balancer or an agent.
type Member struct {
	Name  string         `json:"name"`
	Role  string         `json:"role"`
	State string         `json:"state"` // alive, suspect, failed or left
	Addr  netip.AddrPort `json:"addr"`
	Since time.Time      `json:"since"`
	Apps  []App          `json:"apps,omitempty"` // an agent's

	Tags map[string]string `json:"tags,omitempty"` // as the member says
}

// App is one app of an agent, as that announces it.
type App struct {
	Pool   string         `json:"pool"`
	Addr   netip.AddrPort `json:"addr,omitzero"` // none: it is not announced, since its check fails
	Weight int            `json:"weight"`
	Drain  bool           `json:"drain,omitempty"`
}

// Outside is an app that a member has, or had, and that is in no pool.
type Outside struct {
	Member string         `json:"member"`
	App    string         `json:"app"` // the ID that it would have
	Pool   string         `json:"pool"`
	Addr   netip.AddrPort `json:"addr,omitzero"`
	Why    string         `json:"why"` // as a sentence
}

// Hook is what became of one hook's programs since the control process started.
type Hook struct {
	Name     string    `json:"name"`
	Waiting  int       `json:"waiting"` // events
	Running  int       `json:"running"`
	Runs     uint64    `json:"runs"`      // that have ended
	Failed   uint64    `json:"failed"`    // of these, timed-out ones included
	TimedOut uint64    `json:"timed_out"` // killed after their timeout
	Dropped  uint64    `json:"dropped"`   // events that found the queue full
	Last     time.Time `json:"last,omitzero"`
	LastErr  string    `json:"last_error,omitempty"` // of the newest failure
}

// Template is what became of one template since the control process started.
type Template struct {
	Target  string    `json:"target"`
	Changed uint64    `json:"changed"` // times that the target was written
	Failed  uint64    `json:"failed"`  // times that it could not be, or its reload failed
	Last    time.Time `json:"last,omitzero"`
	LastErr string    `json:"last_error,omitempty"` // empty: the last time was good
}

// Done is the answer to an order that was carried out.
type Done struct {
	Message string `json:"message"` // what was done, as a sentence
}

// Error is the body of every answer that is not 200.
type Error struct {
	Message string `json:"error"`
	Remedy  string `json:"remedy,omitempty"`
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return e.Message + "; " + e.Remedy
}
