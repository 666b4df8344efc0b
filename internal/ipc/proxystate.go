package ipc

import (
	"net/netip"
	"time"
)

// ProxyState is the proxy's snapshot: to control for status, and with the lists left out
// to the keeper, which needs the shares only.
type ProxyState struct {
	Up        int             `json:"up"`     // backends up, over all pools
	Total     int             `json:"total"`  // backends known
	Listed    bool            `json:"listed"` // control has told who is in the pools
	Frontends []FrontendState `json:"frontends,omitempty"`
	Pools     []PoolState     `json:"pools,omitempty"`
	LogLines  uint64          `json:"log_lines,omitempty"` // of the access log, written since the start
	LogLost   uint64          `json:"log_lost,omitempty"`  // and those that were not

	LatencyBounds []time.Duration `json:"latency_bounds,omitempty"` // upper bound of each bucket of every Histogram but the last, which has none
}

// Histogram counts requests by how long they took. Buckets before From and behind the last
// of Counts are empty.
type Histogram struct {
	From   int           `json:"from,omitempty"`
	Counts []uint64      `json:"counts,omitempty"`
	Sum    time.Duration `json:"sum,omitempty"` // of how long they took
}

// FrontendState counts what one frontend has done since the proxy's start.
type FrontendState struct {
	Name        string            `json:"name"`
	Connections uint64            `json:"connections"`
	Current     int64             `json:"current"`
	Requests    uint64            `json:"requests"`
	Status      map[string]uint64 `json:"status"` // 1xx … 5xx
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`

	Tunnels int64             `json:"tunnels"` // of Current: upgraded to another protocol
	Retries uint64            `json:"retries"` // requests sent again to another backend
	Errors  map[string]uint64 `json:"errors"`  // by reason, a stable word
	Latency Histogram         `json:"latency,omitzero"`
	TLS     *TLSState         `json:"tls,omitempty"` // nil: no handshake yet
	HTTP2   *HTTP2State       `json:"http2,omitempty"`
	Rules   []RuleState       `json:"rules,omitempty"`
}

// RuleState counts what met a rule.
type RuleState struct {
	Name     string `json:"name"`
	Requests uint64 `json:"requests"`
	Limited  uint64 `json:"limited,omitempty"` // of them, those that were more than its rate
}

// PoolState is one pool and all its backends.
type PoolState struct {
	Name     string         `json:"name"`
	Policy   string         `json:"policy"`
	OnBackup bool           `json:"on_backup,omitempty"` // only backups are up, and given requests
	Panic    bool           `json:"panic,omitempty"`     // too few are up: all are given requests
	Backends []BackendState `json:"backends"`

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
	Latency          Histogram         `json:"latency,omitzero"`
}

// BackendState is one backend with its health and counters.
type BackendState struct {
	ID           string         `json:"id"`
	Addr         netip.AddrPort `json:"addr"`
	State        string         `json:"state"`
	Since        time.Time      `json:"since"`
	Reason       string         `json:"reason"`
	Weight       int            `json:"weight"`
	Share        int            `json:"share,omitempty"`        // the weight that holds now, where it is less: it starts slowly
	EjectedUntil time.Time      `json:"ejected_until,omitzero"` // as an outlier
	Ejections    uint64         `json:"ejections,omitempty"`    // so far
	Backup       bool           `json:"backup,omitempty"`
	MaxConn      int            `json:"maxconn,omitempty"` // bound of Current; 0: none
	Current      int64          `json:"current"`
	Requests     uint64         `json:"requests"`
	Errors       uint64         `json:"errors"`

	Status    map[string]uint64 `json:"status,omitempty"`    // 1xx … 5xx
	ErrorsBy  map[string]uint64 `json:"errors_by,omitempty"` // Errors by reason, a stable word
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
	Latency   Histogram         `json:"latency,omitzero"`
}

func (*ProxyState) kind() Kind { return kindProxyState }
