package lbcore

import (
	"net/netip"
	"time"
)

// State of a backend.
type State string

// The states of a backend. Only an up one is given new requests.
const (
	StateUp    State = "up"
	StateDown  State = "down"
	StateDrain State = "drain"
)

// Snapshot is everything there is to see, at about one moment: counters are
// read one after the other while loops go on.
type Snapshot struct {
	Frontends []FrontendSnapshot // by name
	Pools     []PoolSnapshot     // by name
	AccessLog AccessLogCounters
}

// FrontendSnapshot is one frontend as its clients see it.
type FrontendSnapshot struct {
	Name, Pool string
	Counters   FrontendCounters
	Rules      []RuleSnapshot // in their order
}

// PoolSnapshot is one pool with all its backends.
type PoolSnapshot struct {
	Name     string
	Policy   string
	Up       int               // backends that are given requests
	Waiting  int64             // requests that wait for room on one
	OnBackup bool              // these are the backups
	Panic    bool              // these are all, since fewer than PanicThreshold are up
	Backends []BackendSnapshot // in the order of Pool.Set
	Counters PoolCounters
}

// BackendSnapshot is one backend.
type BackendSnapshot struct {
	ID     string
	Addr   netip.AddrPort
	Weight int  // as given
	Share  int  // the weight that holds now: less while it starts slowly
	Backup bool // given requests only while no other is up
	// MaxConn bounds the requests under way; 0: nothing does.
	MaxConn int
	State   State
	Since   time.Time // of State
	// Reason of the last check or failed connection; "" after a good one.
	Reason string
	// CheckedAt is when the last check ended; zero before the first.
	CheckedAt time.Time
	// Checks counts those made, BadChecks those of them that failed.
	Checks, BadChecks uint64
	// CheckTook is how long it took.
	CheckTook time.Duration
	// LastError is how the last request that failed here did, "" if none has;
	// it may have succeeded on another backend.
	LastError string
	// EjectedUntil is zero unless it is ejected as an outlier; Ejections counts.
	EjectedUntil time.Time
	Ejections    uint64
	LastErrorAt  time.Time
	Counters     BackendCounters
}

// FrontendCounters only grow, except those named current.
type FrontendCounters struct {
	Accepted uint64 // connections
	Current  int64  // current: connections
	Tunnels  int64  // current: those of them that were upgraded to another protocol
	Requests uint64
	// Responses by class: [1] is 1xx … [5] is 5xx, our own errors included.
	Responses [6]uint64
	Retries   uint64 // attempts beyond the first
	BytesIn   uint64 // received from clients
	BytesOut  uint64 // sent to clients
	// Latency of each request, from its whole head until the last byte of its answer was
	// with the kernel; of an upgrade, until the tunnel began. What was refused by
	// the codec, or broken off, is left out. Times are exact to a round of a loop.
	Latency Histogram
	Errors  FrontendErrors
	TLS     TLSCounters
	HTTP2   HTTP2Counters
}

// FrontendErrors counts by kind.
type FrontendErrors struct {
	BadRequest uint64 // refused by the codec, a limit of its head, or a rule's look at the path
	LargeBody  uint64 // 413: its body is larger than the frontend or the rule allows
	NoRule     uint64 // met no rule where there is no other pool: 404
	NoBackend  uint64 // 503
	BadGateway uint64 // 502
	Timeout    uint64 // 504
	HeaderTime uint64 // 408, and silent closes of idle or slow connections
	Aborted    uint64 // client went away during a request
	Cut        uint64 // answer cut off after it had begun
	BadProxy   uint64 // no PROXY header, or a bad one, from a proxy that must send one
	QueueFull  uint64 // 503, since all backends and the queue were full
	QueueTime  uint64 // 503, since it waited too long for room on a backend
	BadHello   uint64 // no TLS greeting, or a bad one, where it is routed by name

	SourceDenied uint64 // 403, or a closed connection: the source is in no network that is allowed
	SourceRate   uint64 // 429, or a closed connection: too many of this source in this time
	SourceConns  uint64 // 429, or a closed connection: too many of this source are open
	Full         uint64 // times that MaxConn was reached: clients waited
}

// PoolCounters only grow. They go on when backends leave, whose own are gone then.
type PoolCounters struct {
	Requests  uint64    // given to the pool; each may need several attempts
	Responses [6]uint64 // of backends, by class, as in FrontendCounters
	NoBackend uint64    // requests for which no backend was up: 503
	Retries   uint64    // attempts beyond the first
	// RetriesRefused found the retry budget spent; EjectionsRefused would have taken more
	// than OutlierConfig.MaxEjected out.
	RetriesRefused, EjectionsRefused uint64
	// Queued had to wait for room on a backend; QueueFull and QueueTimeout of all requests
	// found no place to wait, or waited too long: 503.
	Queued, QueueFull, QueueTimeout uint64
	Sticky                          StickyCounters
	Latency                         Histogram // as in BackendCounters
}

// StickyCounters count requests by their cookie: Kept named a backend that is given
// requests, Lost none (it is gone or not well, or the cookie is forged or of another
// secret), New had no cookie.
type StickyCounters struct{ Kept, Lost, New uint64 }

// BackendCounters only grow, except those named current.
type BackendCounters struct {
	Requests  uint64    // attempts
	Responses [6]uint64 // by class, as in FrontendCounters
	Current   int64     // current: requests in flight
	Conns     int64     // current: connections, idle ones included
	Connects  uint64    // connections made
	Reused    uint64    // attempts on a kept connection
	BytesIn   uint64    // received from the backend
	BytesOut  uint64    // sent to the backend
	// Latency of each answer, from the start of its attempt, a new connection included,
	// until its head had come. Interim answers are left out.
	Latency Histogram
	Errors  BackendErrors
}

// BackendErrors counts by kind.
type BackendErrors struct {
	Connect  uint64 // refused, unreachable or timed out
	Died     uint64 // connection ended before any byte of an answer
	Response uint64 // malformed, or cut off
	Timeout  uint64 // no answer, or no more of it, in time
}
