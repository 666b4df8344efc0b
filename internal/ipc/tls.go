package ipc

import "time"

// TLS is how a frontend speaks TLS with its clients. It holds private keys, so it goes
// from the keeper to the proxy and nowhere else.
type TLS struct {
	Certificates     []Certificate `json:"certificates"`
	MinVersion       uint16        `json:"min_version"` // of crypto/tls
	CipherSuites     []uint16      `json:"cipher_suites,omitempty"`
	ClientCerts      string        `json:"client_certs,omitempty"` // required or optional
	ClientCAs        []byte        `json:"client_cas,omitempty"`   // PEM
	StrictSNI        bool          `json:"strict_sni,omitempty"`
	SessionTickets   bool          `json:"session_tickets"`
	TicketSecrets    [][]byte      `json:"ticket_secrets,omitempty"` // the first seals; none: the proxy makes one
	HandshakeTimeout time.Duration `json:"handshake_timeout"`
}

// PoolTLS is how TLS is spoken with the backends of a pool.
type PoolTLS struct {
	CAs         []byte       `json:"cas,omitempty"` // PEM; none: those of the system
	ServerName  string       `json:"server_name,omitempty"`
	MinVersion  uint16       `json:"min_version"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Verify      bool         `json:"verify"`
}

// Certificate is a chain and its key, both PEM.
type Certificate struct {
	Chain []byte `json:"chain"`
	Key   []byte `json:"key"`
}

// TLSState counts the handshakes of one frontend.
type TLSState struct {
	Handshakes uint64            `json:"handshakes"`
	Resumed    uint64            `json:"resumed"` // of them
	Failed     map[string]uint64 `json:"failed"`  // by reason
}
