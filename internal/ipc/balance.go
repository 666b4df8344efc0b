package ipc

import "net/netip"

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
