package ipc

import (
	"net/netip"
	"time"
)

// Hash is what the policy "hash" goes by.
type Hash struct {
	On            string `json:"on"`
	Header        string `json:"header,omitempty"`
	BalanceFactor int    `json:"balance_factor,omitempty"` // percent; 0: no bound
}

// StaticBackend is a backend that the configuration names.
type StaticBackend struct {
	Addr    netip.AddrPort `json:"addr"`
	Weight  int            `json:"weight"`
	MaxConn int            `json:"maxconn,omitempty"`
	Backup  bool           `json:"backup,omitempty"`
}

// Sticky is how clients come back to their backend. It holds secrets, so it goes from the
// keeper to the proxy and nowhere else.
type Sticky struct {
	Cookie   string        `json:"cookie"`
	Secrets  [][]byte      `json:"secrets,omitempty"` // the first signs; none: the proxy makes one
	MaxAge   time.Duration `json:"max_age,omitempty"` // 0: until the browser is closed
	SameSite string        `json:"same_site"`         // lax, strict or none
}

// RetryBudget bounds the retries of a pool over the last ten seconds.
type RetryBudget struct {
	Percent   int `json:"percent"` // of the requests
	PerSecond int `json:"per_second"`
}

// Outlier is when backends that fail requests are ejected, and for how long.
type Outlier struct {
	Consecutive5xx    int           `json:"consecutive_5xx,omitempty"`    // 0: never
	ConsecutiveErrors int           `json:"consecutive_errors,omitempty"` // 0: never
	EjectionTime      time.Duration `json:"ejection_time"`
	MaxEjectionTime   time.Duration `json:"max_ejection_time"`
	MaxEjected        int           `json:"max_ejected"` // percent
}
